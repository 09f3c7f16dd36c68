//! A map in its keys' order, of shared nodes: a clone copies one pointer, and a change copies the nodes on the way to one entry, so that beside a million entries
//! it costs about what it costs beside a thousand. Knows nothing of what it holds.
use std::slice;
use std::sync::Arc;

/// Entries of a leaf, and children of another node, at most: with 32, four or five nodes lie on the way to one of a million entries.
const NODE_MAX: usize = if cfg!(test) { 4 } else { 32 };

/// A child with a key below which it has none; the first child's means nothing.
type Child<K, V> = (K, Arc<Node<K, V>>);
type Children<K, V> = Vec<Child<K, V>>;

/// All leaves are equally far from the root. None is empty but that of an empty map.
#[derive(Clone, Debug)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Inner(Children<K, V>),
}

/// See above.
#[derive(Clone, Debug)]
pub(super) struct Tree<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Tree { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

impl<K: Ord + Copy, V: Clone + PartialEq> PartialEq for Tree<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Ord + Copy, V: Clone> Tree<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let mut node = &self.root;
        loop {
            match &**node {
                Node::Leaf(entries) => return entries.get(place_in(entries, key).ok()?).map(|(_, value)| value),
                Node::Inner(children) => node = &children[child_of(children, key)].1,
            }
        }
    }

    /// The entry of the least key.
    pub(super) fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// Puts a value in; gives back what stood there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (before, right) = Arc::make_mut(&mut self.root).insert(key, value);
        if let Some((from, right)) = right {
            let left = self.root.clone();
            self.root = Arc::new(Node::Inner(vec![(from, left), (from, right)]));
        }
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes a value out, if there is one.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        // Where there is none nothing is copied.
        self.get(key)?;
        let removed = Arc::make_mut(&mut self.root).remove(key)?;
        self.len -= 1;
        while let Node::Inner(children) = &*self.root {
            let [(_, only)] = children.as_slice() else { break };
            self.root = only.clone();
        }
        Some(removed)
    }

    /// All, by key.
    pub(super) fn iter(&self) -> Iter<'_, K, V> {
        let mut iter = Iter { above: Vec::new(), leaf: [].iter() };
        iter.enter(&self.root);
        iter
    }
}

impl<K: Ord + Copy, V: Clone> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.len(),
        }
    }

    /// What stood there, and what has no room here any more.
    fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<Child<K, V>>) {
        match self {
            Node::Leaf(entries) => match place_in(entries, &key) {
                Ok(at) => (Some(std::mem::replace(&mut entries[at].1, value)), None),
                Err(at) => {
                    let right = put(entries, at, (key, value));
                    (None, right.map(|right| (right[0].0, Arc::new(Node::Leaf(right)))))
                }
            },
            Node::Inner(children) => {
                let at = child_of(children, &key);
                let (before, new) = Arc::make_mut(&mut children[at].1).insert(key, value);
                let right = new.and_then(|new| put(children, at + 1, new));
                (before, right.map(|right| (right[0].0, Arc::new(Node::Inner(right)))))
            }
        }
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Node::Leaf(entries) => place_in(entries, key).ok().map(|at| entries.remove(at).1),
            Node::Inner(children) => {
                let at = child_of(children, key);
                let child = Arc::make_mut(&mut children[at].1);
                let removed = child.remove(key);
                if child.len() == 0 {
                    children.remove(at);
                } else if !merge_next(children, at) && at > 0 {
                    merge_next(children, at - 1);
                }
                removed
            }
        }
    }
}

fn place_in<K: Ord, V>(entries: &[(K, V)], key: &K) -> Result<usize, usize> {
    entries.binary_search_by(|(one, _)| one.cmp(key))
}

fn child_of<K: Ord, V>(children: &[(K, V)], key: &K) -> usize {
    // What is below all of them belongs to the first.
    children.get(1..).map_or(0, |rest| rest.partition_point(|(from, _)| from <= key))
}

/// Puts one in. What a full node gives away is half, or the last alone where keys grow, so that nodes fill up then.
fn put<T>(all: &mut Vec<T>, at: usize, one: T) -> Option<Vec<T>> {
    // As a vector grows it would have twice the room that most nodes need.
    if all.len() == all.capacity() {
        all.reserve_exact(NODE_MAX.div_ceil(8));
    }
    let is_last = at == all.len();
    all.insert(at, one);
    if all.len() <= NODE_MAX {
        return None;
    }
    let right = all.split_off(if is_last { at } else { NODE_MAX / 2 });
    all.shrink_to_fit();
    Some(right)
}

/// Takes the next node into this one when both have become small.
fn merge_next<K: Ord + Copy, V: Clone>(children: &mut Children<K, V>, at: usize) -> bool {
    let Some((from, next)) = children.get(at + 1) else { return false };
    if children[at].1.len() + next.len() > NODE_MAX / 2 {
        return false;
    }
    let (from, next) = (*from, next.clone());
    match (Arc::make_mut(&mut children[at].1), &*next) {
        (Node::Leaf(all), Node::Leaf(more)) => all.extend_from_slice(more),
        (Node::Inner(all), Node::Inner(more)) => {
            let first = all.len();
            all.extend_from_slice(more);
            all[first].0 = from;
        }
        // All leaves are equally far from the root.
        _ => return false,
    }
    children.remove(at + 1);
    true
}

/// See `Tree::iter`.
pub(super) struct Iter<'a, K, V> {
    /// What is left of the nodes above the leaf.
    above: Vec<slice::Iter<'a, Child<K, V>>>,
    leaf: slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn enter(&mut self, node: &'a Node<K, V>) {
        match node {
            Node::Leaf(entries) => self.leaf = entries.iter(),
            Node::Inner(children) => self.above.push(children.iter()),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            match self.above.last_mut()?.next() {
                Some((_, child)) => self.enter(child),
                None => drop(self.above.pop()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Nodes below and this one; every leaf is `depth` below the root and within the keys that lead to it.
    fn nodes(node: &Node<u16, u32>, (from, to): (Option<u16>, Option<u16>), depth: usize, is_root: bool) -> usize {
        assert!(node.len() <= NODE_MAX && (is_root || node.len() > 0));
        match node {
            Node::Leaf(entries) => {
                assert_eq!(depth, 0, "a leaf in another depth");
                let fits = |key: u16| from.is_none_or(|from| from <= key) && to.is_none_or(|to| key < to);
                assert!(entries.iter().all(|(key, _)| fits(*key)));
                1
            }
            Node::Inner(children) => {
                assert!(!is_root || children.len() > 1, "a root that leads nowhere else");
                let below = children.iter().enumerate().map(|(at, (own, child))| {
                    let from = if at == 0 { from } else { Some(*own) };
                    let to = children.get(at + 1).map_or(to, |(next, _)| Some(*next));
                    nodes(child, (from, to), depth - 1, false)
                });
                1 + below.sum::<usize>()
            }
        }
    }

    fn depth(tree: &Tree<u16, u32>) -> usize {
        let (mut node, mut depth) = (&tree.root, 0);
        while let Node::Inner(children) = &**node {
            (node, depth) = (&children[0].1, depth + 1);
        }
        depth
    }

    fn check(tree: &Tree<u16, u32>, plain: &BTreeMap<u16, u32>) {
        assert!(tree.iter().eq(plain.iter()));
        assert_eq!((tree.len(), tree.first()), (plain.len(), plain.first_key_value()));
        nodes(&tree.root, (None, None), depth(tree), true);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Also what was shown to readers stays as it was.
        #[test]
        fn it_is_what_a_plain_map_says(
            grown in 0u16..300,
            steps in prop::collection::vec((0u8..5, 0u16..400, any::<u32>()), 0..600),
            emptied: bool,
        ) {
            let (mut tree, mut plain, mut shown) = (Tree::default(), BTreeMap::new(), Vec::new());
            for key in 0..grown {
                prop_assert_eq!(tree.insert(key, 1), plain.insert(key, 1));
            }
            for (step, key, value) in steps {
                match step {
                    0 | 1 => prop_assert_eq!(tree.insert(key, value), plain.insert(key, value)),
                    2 | 3 => prop_assert_eq!(tree.remove(&key), plain.remove(&key)),
                    _ if value % 16 == 0 => shown.push((tree.clone(), plain.clone())),
                    _ => {}
                }
                prop_assert_eq!(tree.get(&key), plain.get(&key));
            }
            check(&tree, &plain);
            if emptied {
                for key in 0..400 {
                    prop_assert_eq!(tree.remove(&key), plain.remove(&key));
                    check(&tree, &plain);
                }
            }
            shown.iter().for_each(|(tree, plain)| check(tree, plain));
        }
    }

    #[test]
    fn growing_keys_fill_the_nodes_and_a_change_copies_one_way_down() {
        let mut tree = Tree::default();
        (0..1000).for_each(|key| assert_eq!(tree.insert(key, 0), None));
        let all = nodes(&tree.root, (None, None), depth(&tree), true);
        assert!(all <= 1000 * 2 / (NODE_MAX - 1), "{all} nodes");
        let shown = tree.clone();
        tree.insert(500, 1);
        fn shared(one: &Arc<Node<u16, u32>>, other: &Arc<Node<u16, u32>>) -> usize {
            match (&**one, &**other) {
                _ if Arc::ptr_eq(one, other) => nodes_of(one),
                (Node::Inner(one), Node::Inner(other)) => one.iter().zip(other).map(|(a, b)| shared(&a.1, &b.1)).sum(),
                _ => 0,
            }
        }
        fn nodes_of(node: &Node<u16, u32>) -> usize {
            match node {
                Node::Leaf(_) => 1,
                Node::Inner(children) => 1 + children.iter().map(|(_, child)| nodes_of(child)).sum::<usize>(),
            }
        }
        assert_eq!(shared(&tree.root, &shown.root), all - depth(&tree) - 1);
    }
}
