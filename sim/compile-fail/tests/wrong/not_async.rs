#[hyperlapse::test]
fn not_async(sim: hyperlapse::Sim) {
    let _ = sim;
}

#[hyperlapse::test(workload = "kind = 'all-at-once', users = 5")]
fn async_forgotten(sim: hyperlapse::Sim) -> Result<(), String> {
    let _ = sim;
    Ok(())
}

fn main() {}
