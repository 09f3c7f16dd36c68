//! Sorted lists in which everything stands once. Knows nothing of what is in them.

/// Edits so few that moving the tail for each costs less than walking the whole list.
const FEW: usize = 8;

/// Takes `remove` out and puts `add` in; both are sorted themselves. What is missing or there already is left alone.
pub(super) fn edit<T: Ord + Clone>(list: &mut Vec<T>, add: &[T], remove: &[T]) {
    if add.len() + remove.len() <= FEW {
        for item in remove {
            if let Ok(at) = list.binary_search(item) {
                list.remove(at);
            }
        }
        for item in add {
            if let Err(at) = list.binary_search(item) {
                list.insert(at, item.clone());
            }
        }
        return;
    }
    list.retain(|item| remove.binary_search(item).is_err());
    list.extend_from_slice(add);
    list.sort();
    list.dedup();
}

/// Sorted, each once.
pub(super) fn set<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

/// Whether each item is greater than the one before.
pub(super) fn is_set<T: Ord>(list: &[T]) -> bool {
    list.is_sorted_by(|a, b| a < b)
}
