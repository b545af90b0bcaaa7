//! Lines with a label in front, for a terminal of 80 columns.

use super::style::wrap;

pub(super) const LABEL: usize = 15;
pub(super) const WIDTH: usize = 80;

/// Lines with a label in front of the first.
#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    pub(super) fn line(&mut self, label: &str, text: &str) {
        let line = format!("  {label:<LABEL$}{text}");
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Words, broken where a line is full.
    pub(super) fn prose(&mut self, label: &str, text: &str) {
        for (i, line) in wrap(text, WIDTH - LABEL - 2).iter().enumerate() {
            self.line(if i == 0 { label } else { "" }, line);
        }
    }

    /// Cells side by side, as many as fit, the rest below.
    pub(super) fn cells(&mut self, label: &str, cells: &[String]) {
        let mut label = label;
        if label.chars().count() >= LABEL {
            self.line(label, "");
            label = "";
        }
        let mut line = String::new();
        for cell in cells {
            let fits = 2 + LABEL + line.chars().count() + 3 + cell.chars().count() <= WIDTH;
            if !line.is_empty() && !fits {
                self.line(label, &line);
                (label, line) = ("", String::new());
            }
            if !line.is_empty() {
                line.push_str("   ");
            }
            line.push_str(cell);
        }
        self.line(label, &line);
    }
}
