#[hyperlapse::test(seed = 5)]
async fn unknown(_: hyperlapse::Sim) {}

#[hyperlapse::test(seeds = 0)]
async fn none(_: hyperlapse::Sim) {}

#[hyperlapse::test(seeds = "many", strategy = "rnd", deadline = "soon", isolate = 1)]
async fn values(_: hyperlapse::Sim) {}

#[hyperlapse::test(seeds = 5, seeds = 6)]
async fn twice(_: hyperlapse::Sim) {}

#[hyperlapse::test(thresholds = "response.p95 < 1s", strategy)]
async fn forms(_: hyperlapse::Sim) {}

#[hyperlapse::test(main = true)]
async fn program(_: hyperlapse::Sim) {}

fn main() {}
