//! Doubly-linked lists through a slab: order without allocation.
//!
//! A node carries its own links, so joining, leaving and moving to the back are O(1) and never allocate.
//! One node can be in several lists at once; the const parameter says which of its links is meant.

use slab::Slab;

/// The key of a node in its slab.
pub(crate) type Key = u32;

const NIL: Key = Key::MAX;

/// A node's place in one list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    before: Key,
    after: Key,
}

impl Link {
    /// In no list.
    pub(crate) const NONE: Self = Self { before: NIL, after: NIL };
}

/// Something that can be in list number `LIST`.
pub(crate) trait Node<const LIST: usize> {
    fn link(&self) -> &Link;
    fn link_mut(&mut self) -> &mut Link;
}

/// The two ends of list number `LIST`; the order itself stands in the nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<const LIST: usize> {
    front: Key,
    back: Key,
}

impl<const LIST: usize> List<LIST> {
    pub(crate) const EMPTY: Self = Self { front: NIL, back: NIL };

    #[inline]
    pub(crate) fn front(&self) -> Option<Key> {
        (self.front != NIL).then_some(self.front)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.front == NIL
    }

    #[inline]
    pub(crate) fn push_back<T: Node<LIST>>(&mut self, nodes: &mut Slab<T>, key: Key) {
        *nodes[key as usize].link_mut() = Link { before: self.back, after: NIL };
        match self.back {
            NIL => self.front = key,
            back => nodes[back as usize].link_mut().after = key,
        }
        self.back = key;
    }

    #[inline]
    pub(crate) fn unlink<T: Node<LIST>>(&mut self, nodes: &mut Slab<T>, key: Key) {
        let Link { before, after } = std::mem::replace(nodes[key as usize].link_mut(), Link::NONE);
        match before {
            NIL => self.front = after,
            before => nodes[before as usize].link_mut().after = after,
        }
        match after {
            NIL => self.back = before,
            after => nodes[after as usize].link_mut().before = before,
        }
    }

    #[inline]
    pub(crate) fn move_to_back<T: Node<LIST>>(&mut self, nodes: &mut Slab<T>, key: Key) {
        if self.back != key {
            self.unlink(nodes, key);
            self.push_back(nodes, key);
        }
    }

    /// Front to back.
    pub(crate) fn iter<'a, T: Node<LIST>>(
        &self,
        nodes: &'a Slab<T>,
    ) -> impl Iterator<Item = (Key, &'a T)> {
        let mut next = self.front;
        std::iter::from_fn(move || {
            (next != NIL).then(|| {
                let key = next;
                let node = &nodes[key as usize];
                next = node.link().after;
                (key, node)
            })
        })
    }
}
