//! Colours for a terminal, or none.

/// Whether a report is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    pub(crate) coloured: bool,
}

impl Style {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    pub(crate) fn near(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// `PASS` or `FAIL`.
    pub(crate) fn verdict(self, passed: bool) -> String {
        if passed { self.good("PASS") } else { self.bad("FAIL") }
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters; a longer word has its own line. Where it has lines of its
/// own, as the message of a failed assertion, they are run together.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let text =
        text.split('\n').enumerate().map(|(i, line)| if i == 0 { line } else { line.trim() });
    let text = text.collect::<Vec<_>>().join(" ");
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
