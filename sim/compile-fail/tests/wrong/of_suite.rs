#[hyperlapse::test(seeds = 5, workload = "kind = 'all-at-once', users = 5", main)]
fn options() -> hyperlapse::Suite<()> {
    hyperlapse::Suite::new("mine", "0.1.0")
}

fn main() {}
