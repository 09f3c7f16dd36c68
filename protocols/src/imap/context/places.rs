//! Where the results of a search go in and out, as ADDTO and REMOVEFROM count them (RFC 5267 sections 4.3.3 and 4.3.4). Pure.
use posthouse_engine::base::Uid;
use posthouse_engine::index::UidSet;

/// A context position and the results that go in or out from there on, in order.
pub(super) type Piece = (usize, Vec<Uid>);

/// What goes in or out.
pub(super) enum Pieces {
    /// Results that are in no order but their own: their place is 0.
    Set(UidSet),
    /// Of what SORT has found.
    Ordered(Vec<Piece>),
}

impl Default for Pieces {
    fn default() -> Pieces {
        Pieces::Set(UidSet::new())
    }
}

/// A place and the first and last uids of the ranges that go in or out there.
type Ranges<'a> = (usize, Box<dyn Iterator<Item = (u32, u32)> + 'a>);

impl Pieces {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Pieces::Set(uids) => uids.is_empty(),
            Pieces::Ordered(pieces) => pieces.is_empty(),
        }
    }

    /// How many ranges and numbers it keeps.
    pub(super) fn size(&self) -> usize {
        match self {
            Pieces::Set(uids) => uids.ranges().len(),
            Pieces::Ordered(pieces) => pieces.iter().map(|(_, uids)| uids.len()).sum(),
        }
    }

    /// All of them, in the order in which they are told.
    pub(super) fn each(&self) -> Box<dyn Iterator<Item = Ranges<'_>> + '_> {
        match self {
            Pieces::Set(uids) => {
                let ranges: Ranges<'_> = (0, Box::new(uids.ranges().iter().copied()));
                Box::new(std::iter::once(ranges).filter(move |_| !uids.is_empty()))
            }
            Pieces::Ordered(pieces) => Box::new(pieces.iter().map(|(place, uids)| {
                let ranges: Ranges<'_> = (*place, Box::new(uids.iter().map(|uid| (uid.0, uid.0))));
                ranges
            })),
        }
    }
}

/// Takes uids out of an order. Each piece counts after those before it are gone.
pub(super) fn remove(order: &mut Vec<Uid>, gone: &UidSet) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut kept = 0;
    let mut is_run = false;
    order.retain(|uid| {
        let stays = !gone.contains(*uid);
        if stays {
            kept += 1;
        } else if is_run && let Some((_, run)) = pieces.last_mut() {
            run.push(*uid);
        } else {
            pieces.push((kept + 1, vec![*uid]));
        }
        is_run = !stays;
        stays
    });
    pieces
}

/// Puts uids into an order: each before the one that has that place now, those with the same place in the order given. Each piece counts with
/// those before it in their places. `new`: places ascending.
pub(super) fn insert(order: &mut Vec<Uid>, new: &[(usize, Uid)]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut merged = Vec::with_capacity(order.len() + new.len());
    let mut taken = 0;
    for &(place, uid) in new {
        let place = place.min(order.len());
        merged.extend_from_slice(&order[taken..place.max(taken)]);
        let is_run = place <= taken && !pieces.is_empty();
        taken = place.max(taken);
        merged.push(uid);
        match pieces.last_mut() {
            Some((_, run)) if is_run => run.push(uid),
            _ => pieces.push((merged.len(), vec![uid])),
        }
    }
    merged.extend_from_slice(&order[taken..]);
    *order = merged;
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn uids(numbers: &[u32]) -> Vec<Uid> {
        numbers.iter().copied().map(Uid).collect()
    }

    /// What a client does with the pieces.
    fn replay(order: &[Uid], removed: &[Piece], added: &[Piece]) -> Vec<Uid> {
        let mut order = order.to_vec();
        for (place, run) in removed {
            let taken: Vec<Uid> = order.drain(place - 1..place - 1 + run.len()).collect();
            assert_eq!(taken, *run);
        }
        for (place, run) in added {
            order.splice(place - 1..place - 1, run.iter().copied());
        }
        order
    }

    #[test]
    fn neighbours_are_one_piece() {
        let mut order = uids(&[5, 3, 9, 1]);
        let removed = remove(&mut order, &UidSet::from_ranges([(3, 3), (9, 9), (1, 1)]));
        assert_eq!(removed, [(2, uids(&[3, 9, 1]))]);
        let added = insert(&mut order, &[(0, Uid(7)), (0, Uid(8)), (1, Uid(2))]);
        assert_eq!(added, [(1, uids(&[7, 8])), (4, uids(&[2]))]);
        assert_eq!(order, uids(&[7, 8, 5, 2]));
    }

    #[test]
    fn a_client_that_follows_has_the_same_order() {
        for seed in 1..200u64 {
            println!("seed {seed}");
            let mut random = Random(seed);
            let before: Vec<Uid> = (0..random.below(12)).map(|at| Uid(100 - at as u32)).collect();
            let mut order = before.clone();
            let gone: UidSet = before.iter().rev().copied().filter(|_| random.below(3) == 0).collect();
            let removed = remove(&mut order, &gone);
            let mut places: Vec<usize> = (0..random.below(6)).map(|_| random.below(order.len() + 1)).collect();
            places.sort_unstable();
            let new: Vec<(usize, Uid)> =
                places.into_iter().enumerate().map(|(at, place)| (place, Uid(200 + at as u32))).collect();
            let added = insert(&mut order, &new);
            assert_eq!(replay(&before, &removed, &added), order);
            assert_eq!(order.len(), before.len() - gone.len() as usize + new.len());
        }
    }
}
