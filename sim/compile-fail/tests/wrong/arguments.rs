#[hyperlapse::test]
async fn two(sim: hyperlapse::Sim, user: u32) {
    let _ = (sim, user);
}

#[hyperlapse::test]
async fn generic<T>(sim: hyperlapse::Sim) {
    let _ = sim;
}

fn main() {}
