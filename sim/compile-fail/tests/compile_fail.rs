//! What does not compile, and what is said of it.

#[test]
fn what_cannot_be_a_test_is_told_in_words() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/wrong/*.rs");
}

#[test]
#[ignore = "the words are rustc's own, of the release that they were written down with (1.95.0)"]
fn a_body_of_the_wrong_type_is_named() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/worded_by_rustc/*.rs");
}
