//! Tags: what kind of operation, or of sample, it was, in words of the scenario's own.
//!
//! A tag is a key with a value, `model=small`. A set of them is interned once per run, in the order of
//! first use, and from then on an event carries a pointer to it: no text is copied, and the fold finds
//! what it adds to by an index. Tags are for a few values each; numbers of users or of conversations
//! would make a histogram for every one, so a run that uses more than [`MAX_TAGS`] of them panics and
//! says which one was too many.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Tags (keys with a value) that one run may use.
pub const MAX_TAGS: usize = 128;

/// Sets of tags that one run may use.
const MAX_SETS: usize = 1_024;

/// The tags of an event, in the order of their keys. Cheap to clone; most events have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, String)>", into = "Vec<(String, String)>")]
pub struct Tags(Option<Arc<TagSet>>);

#[derive(Debug)]
struct TagSet {
    pairs: Vec<(String, String)>,
    /// `model=small, route=chat`.
    text: String,
    /// Which of the run's tags they are, by the order of their first use.
    places: Vec<u16>,
}

// Where a set stands in its run does not make it another one.
impl PartialEq for TagSet {
    fn eq(&self, other: &Self) -> bool {
        self.pairs == other.pairs
    }
}

impl Eq for TagSet {}

impl Tags {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Key and value of each, in the order of the keys.
    pub fn pairs(&self) -> &[(String, String)] {
        self.0.as_ref().map_or(&[], |set| &set.pairs)
    }

    /// `model=small, route=chat`; empty when there are none.
    pub fn text(&self) -> &str {
        self.0.as_ref().map_or("", |set| &set.text)
    }

    /// Which of the run's tags they are.
    pub(crate) fn places(&self) -> &[u16] {
        self.0.as_ref().map_or(&[], |set| &set.places)
    }

    fn new(pairs: Vec<(String, String)>, places: Vec<u16>) -> Self {
        if pairs.is_empty() {
            return Self(None);
        }
        let words: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Self(Some(Arc::new(TagSet { text: words.join(", "), pairs, places })))
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl From<Vec<(String, String)>> for Tags {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self::new(pairs, Vec::new())
    }
}

impl From<Tags> for Vec<(String, String)> {
    fn from(tags: Tags) -> Self {
        tags.pairs().to_vec()
    }
}

/// The tags of one run, in the order of their first use.
#[derive(Debug, Default)]
pub(crate) struct TagTable {
    /// `model=small`.
    names: Vec<String>,
    sets: Vec<Tags>,
}

/// A run used too many tags: a bug of the scenario.
#[derive(Debug, thiserror::Error)]
#[error(
    "the tag `{0}` is one too many: a run may use {MAX_TAGS} tags, keys with a value, and {MAX_SETS} sets of them; tags are for what comes in a few kinds, `note` is for what is different each time"
)]
pub(crate) struct TooManyTags(String);

impl TagTable {
    /// `tags` with `more`, which replace those with the same keys.
    ///
    /// # Errors
    /// When the run then uses too many tags.
    pub(crate) fn with(&mut self, tags: &Tags, more: &[(&str, &str)]) -> Result<Tags, TooManyTags> {
        let mut pairs: BTreeMap<&str, &str> =
            tags.pairs().iter().map(|(key, value)| (&**key, &**value)).collect();
        pairs.extend(more.iter().copied());
        let same = |tags: &&Tags| {
            let known = tags.pairs().iter().map(|(key, value)| (&**key, &**value));
            known.eq(pairs.iter().map(|(key, value)| (*key, *value)))
        };
        if let Some(known) = self.sets.iter().find(same) {
            return Ok(known.clone());
        }
        if self.sets.len() == MAX_SETS {
            let words: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
            return Err(TooManyTags(words.join(", ")));
        }
        let places: Result<_, _> =
            pairs.iter().map(|(key, value)| self.place(format!("{key}={value}"))).collect();
        let pairs = pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let tags = Tags::new(pairs.collect(), places?);
        self.sets.push(tags.clone());
        Ok(tags)
    }

    fn place(&mut self, name: String) -> Result<u16, TooManyTags> {
        if let Some(place) = self.names.iter().position(|known| *known == name) {
            return Ok(place as u16);
        }
        if self.names.len() == MAX_TAGS {
            return Err(TooManyTags(name));
        }
        self.names.push(name);
        Ok((self.names.len() - 1) as u16)
    }

    /// `key=value` of each, in the order of first use.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}
