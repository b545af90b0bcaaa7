//! Whose request is it? A bearer token in, a user out.
//!
//! [`Authenticator`] is the seam for a service's own accounts; [`TokenTable`] is a fixed list, for a start and for
//! services among themselves. It keeps digests rather than tokens, and a look-up compares all of them without
//! stopping at a match or at a difference: what it takes tells nothing of any token. That costs about 20 ns
//! for each token of the table; with more than some ten thousand, use an authenticator of your own.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, ready};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::request::UserId;

/// The future of [`Authenticator::authenticate`].
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = Option<UserId>> + Send + 'a>>;

/// Knows whose token it is.
///
/// The name of the user that it returns is what limits count by and what conversations belong to.
pub trait Authenticator: Send + Sync + 'static {
    /// The user of this bearer token; `None` if it is nobody's.
    fn authenticate<'a>(&'a self, token: &'a str) -> Authenticating<'a>;
}

/// A fixed list of tokens and their users.
///
/// ```
/// use conversation_manager::gateway::TokenTable;
///
/// let table = TokenTable::parse("# token user\ns3cret-of-ada ada\ns3cret-of-grace grace\n")?;
/// assert_eq!(table.user("s3cret-of-ada").unwrap().as_str(), "ada");
/// assert_eq!(table.user("s3cret-of-nobody"), None);
/// # Ok::<(), conversation_manager::gateway::InvalidTokens>(())
/// ```
#[derive(Clone, Default)]
pub struct TokenTable {
    entries: Vec<([u8; 32], UserId)>,
}

impl TokenTable {
    /// A table of these tokens and users. A user may have several tokens.
    ///
    /// # Errors
    ///
    /// [`InvalidTokens::Token`] for a token that cannot stand in a header, [`InvalidTokens::Twice`] for one that is there twice.
    pub fn new<T, U>(tokens: impl IntoIterator<Item = (T, U)>) -> Result<Self, InvalidTokens>
    where
        T: AsRef<str>,
        U: Into<UserId>,
    {
        let mut seen = BTreeMap::new();
        let mut entries = Vec::new();
        for (place, (token, user)) in (1..).zip(tokens) {
            let token = token.as_ref();
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(InvalidTokens::Token { line: place });
            }
            let digest = digest(token);
            if let Some(first) = seen.insert(digest, place) {
                return Err(InvalidTokens::Twice { line: place, first });
            }
            entries.push((digest, user.into()));
        }
        Ok(Self { entries })
    }

    /// A table from text: on each line a token, white space, and a user. Empty lines and those that begin with `#` are
    /// passed over.
    ///
    /// # Errors
    ///
    /// [`InvalidTokens`], with the line. Errors do not show tokens.
    pub fn parse(text: &str) -> Result<Self, InvalidTokens> {
        let mut lines = Vec::new();
        let mut tokens = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (token, user) = line
                .split_once(char::is_whitespace)
                .ok_or(InvalidTokens::NoUser { line: number })?;
            lines.push(number);
            tokens.push((token, user.trim_start()));
        }
        Self::new(tokens).map_err(|error| match error {
            InvalidTokens::Token { line } => InvalidTokens::Token { line: lines[line - 1] },
            InvalidTokens::Twice { line, first } => {
                InvalidTokens::Twice { line: lines[line - 1], first: lines[first - 1] }
            }
            other => other,
        })
    }

    /// A table from a file of the form that [`TokenTable::parse`] reads.
    ///
    /// # Errors
    ///
    /// [`InvalidTokens`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, InvalidTokens> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| InvalidTokens::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// The user of this token. Takes as long for every token.
    pub fn user(&self, token: &str) -> Option<UserId> {
        let asked = digest(token);
        let mut found = Choice::from(0);
        let mut at = 0_u64;
        for (place, (known, _)) in (0_u64..).zip(&self.entries) {
            let same = known.ct_eq(&asked);
            at = u64::conditional_select(&at, &place, same);
            found |= same;
        }
        let (_, user) = self.entries.get(usize::try_from(at).ok()?)?;
        bool::from(found).then(|| user.clone())
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Authenticator for TokenTable {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authenticating<'a> {
        Box::pin(ready(self.user(token)))
    }
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenTable").field("tokens", &self.entries.len()).finish()
    }
}

/// A list of tokens that cannot be used. Lines count from 1; of a list that is no text, entries do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTokens {
    /// A line has a token only.
    #[error("line {line} has no user: a token, a space and a user are expected")]
    NoUser {
        /// The line.
        line: usize,
    },
    /// A token is empty, or has characters that cannot stand in a header.
    #[error("the token of line {line} is not made of visible ASCII characters")]
    Token {
        /// The line.
        line: usize,
    },
    /// A token would belong to two.
    #[error("the token of line {line} is that of line {first}")]
    Twice {
        /// The line.
        line: usize,
        /// Where it stood before.
        first: usize,
    },
    /// The file could not be read.
    #[error("cannot read the tokens of {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_of_a_table_is_its_users_and_no_other_is() {
        let tokens: Vec<_> =
            (0..100).map(|n| (format!("token-{n}"), format!("user {n}"))).collect();
        let table = TokenTable::new(tokens).unwrap();
        for n in 0..100 {
            let user = table.user(&format!("token-{n}")).unwrap();
            assert_eq!(user.as_str(), format!("user {n}"));
        }
        for stranger in ["", "token-", "token-100", "token-1 ", "TOKEN-1"] {
            assert_eq!(table.user(stranger), None, "{stranger}");
        }
        assert_eq!(TokenTable::default().user(""), None);
    }

    #[test]
    fn a_bad_list_is_refused_with_its_line_and_without_the_token() {
        let message = |text| TokenTable::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("# list\n\nalone\n"),
            "line 3 has no user: a token, a space and a user are expected"
        );
        assert_eq!(message("a ada\n# again\na grace"), "the token of line 3 is that of line 1");
        assert_eq!(
            message("ok ada\n\u{fc} grace"),
            "the token of line 2 is not made of visible ASCII characters"
        );
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let table = TokenTable::parse("s3cret ada").unwrap();
        assert_eq!(format!("{table:?}"), "TokenTable { tokens: 1 }");
    }
}
