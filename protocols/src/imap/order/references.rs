//! THREAD=REFERENCES (RFC 5256 section 3): threads by Message-ID, References and In-Reply-To, then by subject; and THREAD=REFS
//! (draft-ietf-morg-inthread), which leaves the subjects alone. Takes time in proportion to the messages and their references, whatever these
//! say: chains that go in circles are cut.
use super::tree::{Forest, Item, NONE, Node};
use crate::limits;
use posthouse_engine::index::mime::{find_header, unfold};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// What a node takes, with its place in the map and in its parent's list.
const NODE_BYTES: usize = 96;

/// Messages on their way into threads.
#[derive(Debug, Default)]
pub(in crate::imap) struct Threader {
    items: Vec<Item>,
    forest: Forest,
    /// Message-IDs by their hash with a random key: two that meet would be a chance of one in millions of mailboxes.
    nodes: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Threader {
    /// Takes up a message: step 1. Answers the bytes of memory that it takes.
    pub(in crate::imap) fn add(&mut self, item: Item, header: &[u8]) -> usize {
        let before = self.forest.nodes.len();
        let index = self.items.len() as u32;
        self.items.push(item);
        let id = find_header(header, b"Message-ID").and_then(|value| ids(&unfold(value)).next().map(<[u8]>::to_vec));
        let node = self.node_of(id.as_deref(), index);
        let mut references: Vec<u32> = Vec::new();
        if let Some(value) = find_header(header, b"References") {
            let value = unfold(value);
            let count = ids(&value).count();
            let skip = count.saturating_sub(limits::IMAP_THREAD_REFERENCES_MAX);
            references.extend(ids(&value).skip(skip).map(|id| self.node(id)));
        }
        if references.is_empty()
            && let Some(value) = find_header(header, b"In-Reply-To")
        {
            references.extend(ids(&unfold(value)).take(1).map(|id| self.node(id)));
        }
        for pair in references.windows(2) {
            if self.forest.nodes[pair[1] as usize].parent == NONE {
                self.link(pair[0], pair[1]);
            }
        }
        if let Some(last) = references.last() {
            // "If a message already has a parent, that link is broken" (step 1 B).
            self.forest.nodes[node as usize].parent = NONE;
            self.link(*last, node);
        }
        (self.forest.nodes.len() - before) * NODE_BYTES
    }

    /// The node of a message; one of its own if it has no id, or another message's.
    fn node_of(&mut self, id: Option<&[u8]>, index: u32) -> u32 {
        if let Some(id) = id {
            let node = self.node(id);
            if self.forest.nodes[node as usize].item == NONE {
                self.forest.nodes[node as usize].item = index;
                return node;
            }
        }
        self.forest.nodes.push(Node::new(index));
        self.forest.nodes.len() as u32 - 1
    }

    fn node(&mut self, id: &[u8]) -> u32 {
        let next = self.forest.nodes.len() as u32;
        let node = *self.nodes.entry(self.hasher.hash_one(id)).or_insert(next);
        if node == next {
            self.forest.nodes.push(Node::new(NONE));
        }
        node
    }

    /// Makes `parent` the parent of `child`, unless it stands below it already or too deep to see.
    fn link(&mut self, parent: u32, child: u32) {
        let mut above = parent;
        for _ in 0..limits::IMAP_THREAD_DEPTH_MAX {
            if above == child {
                return;
            }
            if above == NONE {
                self.forest.nodes[child as usize].parent = parent;
                return;
            }
            above = self.forest.nodes[above as usize].parent;
        }
    }

    /// Writes the threads of REFS: steps 2 and 3, then in the order of the newest arrival in each.
    pub(in crate::imap) fn write_refs(mut self, out: &mut Vec<u8>) {
        self.gather();
        self.prune();
        self.forest.sort(&self.items);
        self.forest.sort_by_arrival(&self.items);
        self.forest.write(out, &self.items);
    }

    /// Writes the threads: steps 2 to 6.
    pub(in crate::imap) fn write(mut self, out: &mut Vec<u8>) {
        self.gather();
        self.prune();
        self.forest.sort(&self.items);
        self.join_subjects();
        self.forest.sort(&self.items);
        self.forest.write(out, &self.items);
    }

    /// Step 2: parents to children.
    fn gather(&mut self) {
        for at in 0..self.forest.nodes.len() as u32 {
            match self.forest.nodes[at as usize].parent {
                NONE => self.forest.roots.push(at),
                parent => self.forest.nodes[parent as usize].children.push(at),
            }
        }
    }

    /// Step 3: dummies without children go; others give their children to what is above them, at the root only a single one.
    fn prune(&mut self) {
        for at in self.forest.bottom_up() {
            let children = std::mem::take(&mut self.forest.nodes[at as usize].children);
            let kept = children.into_iter().flat_map(|child| {
                let node = &mut self.forest.nodes[child as usize];
                if node.item == NONE { std::mem::take(&mut node.children) } else { vec![child] }
            });
            let kept: Vec<u32> = kept.collect();
            self.forest.nodes[at as usize].children = kept;
        }
        let roots = std::mem::take(&mut self.forest.roots);
        for root in roots {
            let node = &self.forest.nodes[root as usize];
            match node.children.as_slice() {
                [] if node.item == NONE => {}
                [only] if node.item == NONE => self.forest.roots.push(*only),
                _ => self.forest.roots.push(root),
            }
        }
    }

    /// Step 5: threads at the root with the same base subject become one.
    fn join_subjects(&mut self) {
        let mut table: HashMap<u32, u32> = HashMap::new();
        for &root in &self.forest.roots {
            let (subject, is_reply) = self.subject(root);
            if subject == 0 {
                continue;
            }
            let entry = table.entry(subject).or_insert(root);
            let (old_is_dummy, old_is_reply) = (self.is_dummy(*entry), self.subject(*entry).1);
            if (!old_is_dummy && self.is_dummy(root)) || (!old_is_dummy && old_is_reply && !is_reply) {
                *entry = root;
            }
        }
        let roots = std::mem::take(&mut self.forest.roots);
        let mut joined: HashMap<u32, u32> = HashMap::new();
        for &root in &roots {
            let (subject, is_reply) = self.subject(root);
            let Some(&into) = table.get(&subject).filter(|into| **into != root && subject != 0) else {
                continue;
            };
            let place = *joined.entry(into).or_insert(into);
            if self.is_dummy(place) {
                let moved = if self.is_dummy(root) {
                    std::mem::take(&mut self.forest.nodes[root as usize].children)
                } else {
                    vec![root]
                };
                self.forest.nodes[place as usize].children.extend(moved);
            } else if is_reply && !self.subject(into).1 {
                self.forest.nodes[into as usize].children.push(root);
            } else {
                // Neither answers the other: a new dummy holds both.
                let dummy = self.forest.nodes.len() as u32;
                self.forest.nodes.push(Node { children: vec![into, root], ..Node::new(NONE) });
                joined.insert(into, dummy);
            }
            joined.insert(root, NONE);
        }
        let kept = roots.into_iter().map(|root| *joined.get(&root).unwrap_or(&root));
        self.forest.roots = kept.filter(|root| *root != NONE).collect();
    }

    fn is_dummy(&self, node: u32) -> bool {
        self.forest.nodes[node as usize].item == NONE
    }

    /// The subject of a thread: that of its root, or of the first child of a dummy.
    fn subject(&self, root: u32) -> (u32, bool) {
        let node = &self.forest.nodes[root as usize];
        let node = match node.item {
            NONE => node.children.first().map_or(node, |child| &self.forest.nodes[*child as usize]),
            _ => node,
        };
        self.items.get(node.item as usize).map_or((0, false), |item| (item.subject, item.is_reply))
    }
}

/// The message ids of a field, with their angle brackets.
fn ids(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let start = memchr::memchr(b'<', rest)?;
        let len = memchr::memchr(b'>', &rest[start..])? + 1;
        let id = &rest[start..start + len];
        rest = &rest[start + len..];
        Some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(messages: &[(i64, u32, bool, &str)]) -> Threader {
        let mut threader = Threader::default();
        for (at, (sent, subject, is_reply, header)) in messages.iter().enumerate() {
            let number = at as u32 + 1;
            let item = Item { number, sent: *sent, arrived: number.into(), subject: *subject, is_reply: *is_reply };
            threader.add(item, header.as_bytes());
        }
        threader
    }

    fn threads(messages: &[(i64, u32, bool, &str)]) -> String {
        let mut out = Vec::new();
        gathered(messages).write(&mut out);
        String::from_utf8(out).expect("ASCII is written")
    }

    #[test]
    fn refs_go_by_arrival_and_not_by_subject() {
        let messages = [
            (9, 1, false, "Message-ID: <a>\r\n\r\n"),
            (1, 2, false, "Message-ID: <b>\r\n\r\n"),
            (3, 1, true, "Message-ID: <c>\r\n\r\n"),
            (7, 1, true, "References: <a>\r\n\r\n"),
            (5, 1, true, "References: <a>\r\n\r\n"),
        ];
        let mut out = Vec::new();
        gathered(&messages).write_refs(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), "(2)(3)(1 (5)(4))");
        assert_eq!(threads(&messages), "(2)(1 (3)(5)(4))");
    }

    #[test]
    fn replies_stand_below_what_they_answer() {
        let found = threads(&[
            (1, 1, false, "Message-ID: <a>\r\n\r\n"),
            (2, 1, true, "Message-ID: <b>\r\nReferences: <a>\r\n\r\n"),
            (3, 1, true, "Message-ID: <c>\r\nIn-Reply-To: <a> <x>\r\n\r\n"),
            (4, 1, true, "Message-ID: <d>\r\nReferences: <a>\r\n <b>\r\n\r\n"),
            (5, 2, false, "Message-ID: <e>\r\n\r\n"),
        ]);
        assert_eq!(found, "(1 (2 4)(3))(5)");
    }

    #[test]
    fn what_is_missing_holds_its_children_together() {
        let found = threads(&[
            (2, 1, true, "Message-ID: <b>\r\nReferences: <gone>\r\n\r\n"),
            (1, 2, true, "Message-ID: <c>\r\nReferences: <gone>\r\n\r\n"),
            (3, 3, true, "Message-ID: <d>\r\nReferences: <c> <lost>\r\n\r\n"),
        ]);
        assert_eq!(found, "((2 3)(1))");
    }

    #[test]
    fn circles_and_doubles_are_survived() {
        let found = threads(&[
            (1, 1, false, "Message-ID: <a>\r\nReferences: <b>\r\n\r\n"),
            (2, 2, false, "Message-ID: <b>\r\nReferences: <a>\r\n\r\n"),
            (3, 3, false, "Message-ID: <a>\r\nReferences: <a>\r\n\r\n"),
            (4, 4, false, "\r\n"),
        ]);
        assert_eq!(found, "(2 1 3)(4)");
    }

    #[test]
    fn equal_subjects_meet() {
        let none = "\r\n";
        assert_eq!(threads(&[(1, 1, false, none), (2, 1, true, none), (3, 2, false, none)]), "(1 2)(3)");
        assert_eq!(threads(&[(1, 1, true, none), (2, 1, false, none)]), "(2 1)");
        assert_eq!(threads(&[(1, 1, false, none), (2, 1, false, none), (3, 1, false, none)]), "((1)(2)(3))");
        assert_eq!(threads(&[(1, 0, false, none), (2, 0, false, none)]), "(1)(2)");
    }

    #[test]
    fn bombs_take_bounded_time() {
        let references: String = (0..5000).map(|at| format!("<{at}> ")).collect();
        let header = format!("References: {references}\r\n\r\n");
        let mut threader = Threader::default();
        for number in 1..200 {
            threader.add(Item { number, sent: 0, arrived: 0, subject: 0, is_reply: true }, header.as_bytes());
        }
        // A chain of 20,000 messages, the last one first.
        for number in (1000..21_000).rev() {
            let header = format!("Message-ID: <c{number}>\r\nIn-Reply-To: <c{}>\r\n\r\n", number - 1);
            threader.add(Item { number, sent: 0, arrived: 0, subject: 0, is_reply: true }, header.as_bytes());
        }
        let mut out = Vec::new();
        threader.write(&mut out);
        assert!(out.ends_with(b" 20999)"), "{}", String::from_utf8_lossy(&out[out.len() - 40..]));
    }
}
