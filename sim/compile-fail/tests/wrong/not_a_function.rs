#[hyperlapse::test]
struct NotAFunction;

fn main() {}
