// What the attribute comes to: its own function is there only where tests are built.
async fn another_argument(sim: u32) {
    let _ = sim;
}

async fn another_ending(_: hyperlapse::Sim) -> u32 {
    5
}

fn main() {
    hyperlapse::Test::new("argument").run(another_argument);
    hyperlapse::Test::new("ending").run(another_ending);
    hyperlapse::SuiteTest::new("suite").run(5);
    hyperlapse::Test::new("workload").workload(5).run(|_| async {});
}
