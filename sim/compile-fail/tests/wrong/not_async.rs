#[hyperlapse::test]
fn not_async(sim: hyperlapse::Sim) {
    let _ = sim;
}

fn main() {}
