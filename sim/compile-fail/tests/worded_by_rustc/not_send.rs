use std::rc::Rc;

async fn not_send(_: hyperlapse::Sim) {
    let local = Rc::new(1);
    tokio::task::yield_now().await;
    drop(local);
}

fn main() {
    hyperlapse::Test::new("not_send").run(not_send);
}
