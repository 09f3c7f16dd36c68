//! Threads as trees without recursion: a thread may be as deep as a mailbox is long. ORDEREDSUBJECT (RFC 5256 section 3) and how threads are
//! written; REFERENCES is in `references`.
use super::envelope::Envelope;
use super::subject;
use crate::imap::out;
use std::collections::HashMap;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// What THREAD knows of a message.
#[derive(Debug)]
pub(in crate::imap) struct Item {
    /// Number or uid, as it is written.
    pub(in crate::imap) number: u32,
    /// Sent date, seconds since 1970 UTC.
    pub(in crate::imap) sent: i64,
    /// INTERNALDATE, the same.
    pub(in crate::imap) arrived: i64,
    /// The base subject, as a number: equal for equal subjects. 0 = none.
    pub(in crate::imap) subject: u32,
    pub(in crate::imap) is_reply: bool,
}

/// Gives numbers to base subjects.
#[derive(Debug, Default)]
pub(in crate::imap) struct Subjects(HashMap<Box<str>, u32>);

impl Subjects {
    /// The message's part of an item; and the bytes of memory that a new subject takes.
    pub(in crate::imap) fn item(&mut self, number: u32, internal_date: i64, envelope: &Envelope<'_>) -> (Item, usize) {
        let (base, is_reply) = subject::base(&envelope.subject());
        let (bytes, next) = (base.len(), self.0.len() as u32 + 1);
        let sent = envelope.sent().unwrap_or(internal_date);
        if base.is_empty() {
            return (Item { number, sent, arrived: internal_date, subject: 0, is_reply }, 0);
        }
        let subject = *self.0.entry(base.into_boxed_str()).or_insert(next);
        (Item { number, sent, arrived: internal_date, subject, is_reply }, if subject == next { bytes + 64 } else { 0 })
    }
}

/// Nodes in trees: the children of a node are a list.
#[derive(Debug, Default)]
pub(super) struct Forest {
    pub(super) nodes: Vec<Node>,
    /// In their order.
    pub(super) roots: Vec<u32>,
}

/// A node; a message or something that holds messages together.
#[derive(Debug)]
pub(super) struct Node {
    /// The index of its item; `NONE` for a dummy.
    pub(super) item: u32,
    pub(super) parent: u32,
    pub(super) children: Vec<u32>,
}

impl Node {
    pub(super) fn new(item: u32) -> Node {
        Node { item, parent: NONE, children: Vec::new() }
    }
}

impl Forest {
    /// Puts the children of every node, and the roots, in the order of their sent dates; a dummy counts by its first child.
    pub(super) fn sort(&mut self, items: &[Item]) {
        let order = self.bottom_up();
        let mut dates: Vec<(i64, u32)> = vec![(0, 0); self.nodes.len()];
        for at in order {
            let mut children = std::mem::take(&mut self.nodes[at as usize].children);
            children.sort_by_key(|child| dates[*child as usize]);
            let node = &mut self.nodes[at as usize];
            dates[at as usize] = match items.get(node.item as usize) {
                Some(item) => (item.sent, item.number),
                None => children.first().map_or((i64::MAX, u32::MAX), |child| dates[*child as usize]),
            };
            node.children = children;
        }
        self.roots.sort_by_key(|root| dates[*root as usize]);
    }

    /// Puts the roots in the order of the newest arrival in each thread: the one that mail has come to last is the last.
    pub(super) fn sort_by_arrival(&mut self, items: &[Item]) {
        let mut newest: Vec<(i64, u32)> = vec![(i64::MIN, 0); self.nodes.len()];
        for at in self.bottom_up() {
            let node = &self.nodes[at as usize];
            let own = items.get(node.item as usize).map(|item| (item.arrived, item.number));
            let below = node.children.iter().map(|child| newest[*child as usize]);
            newest[at as usize] = below.chain(own).max().unwrap_or((i64::MIN, 0));
        }
        self.roots.sort_by_key(|root| newest[*root as usize]);
    }

    /// All nodes below the roots, each after its children.
    pub(super) fn bottom_up(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut stack: Vec<u32> = self.roots.clone();
        while let Some(at) = stack.pop() {
            order.push(at);
            stack.extend_from_slice(&self.nodes[at as usize].children);
        }
        order.reverse();
        order
    }

    /// `(1 2 (3)(4 5))(6)`: a chain goes on, several children are parentheses of their own (RFC 5256 section 4).
    pub(super) fn write(&self, out: &mut Vec<u8>, items: &[Item]) {
        enum Step {
            Node(u32),
            Open(u32),
            Close,
        }
        let mut stack: Vec<Step> = self.roots.iter().rev().map(|root| Step::Open(*root)).collect();
        while let Some(step) = stack.pop() {
            let at = match step {
                Step::Close => {
                    out.push(b')');
                    continue;
                }
                Step::Open(at) => {
                    out.push(b'(');
                    stack.push(Step::Close);
                    at
                }
                Step::Node(at) => {
                    out.push(b' ');
                    at
                }
            };
            let node = &self.nodes[at as usize];
            let item = items.get(node.item as usize);
            if let Some(item) = item {
                out::number(out, item.number.into());
            }
            match node.children.as_slice() {
                [only] if item.is_some() => stack.push(Step::Node(*only)),
                [] => {}
                several => {
                    if item.is_some() {
                        out.push(b' ');
                    }
                    stack.extend(several.iter().rev().map(|child| Step::Open(*child)));
                }
            }
        }
    }
}

/// ORDEREDSUBJECT: messages of one base subject are children of the first of them.
pub(in crate::imap) fn ordered_subject(mut items: Vec<Item>, out: &mut Vec<u8>) {
    items.sort_by_key(|item| (item.sent, item.number));
    let mut forest = Forest::default();
    let mut first_of: HashMap<u32, u32> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        let at = at as u32;
        forest.nodes.push(Node::new(at));
        // A message without a subject is in a thread with the others that have none: they share the empty one.
        match first_of.get(&item.subject) {
            Some(first) => forest.nodes[*first as usize].children.push(at),
            None => {
                first_of.insert(item.subject, at);
                forest.roots.push(at);
            }
        }
    }
    forest.write(out, &items);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u32, sent: i64, subject: u32) -> Item {
        Item { number, sent, arrived: sent, subject, is_reply: false }
    }

    #[test]
    fn threads_by_subject() {
        let mut out = Vec::new();
        ordered_subject(vec![item(1, 9, 1), item(2, 5, 2), item(3, 7, 2), item(4, 10, 1), item(5, 11, 1)], &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "(2 3)(1 (4)(5))");
    }

    #[test]
    fn a_deep_thread_is_written() {
        let items: Vec<Item> = (1..=100_000).map(|number| item(number, 0, 1)).collect();
        let mut forest = Forest { roots: vec![0], ..Forest::default() };
        for at in 0..items.len() as u32 {
            let mut node = Node::new(at);
            node.children.extend((at + 1 < items.len() as u32).then_some(at + 1));
            forest.nodes.push(node);
        }
        forest.sort(&items);
        let mut out = Vec::new();
        forest.write(&mut out, &items);
        assert!(out.starts_with(b"(1 2 3 4 ") && out.ends_with(b" 99999 100000)"));
    }
}
