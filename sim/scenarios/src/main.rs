//! Rehearses load on the conversation manager. `--help` tells the rest.

use std::process::ExitCode;

fn main() -> ExitCode {
    conversation_load::main()
}
