//! A request to the committer: planned on its thread, perhaps more than once, and answered in any case. Decides nothing.
use crate::base::{Error, Result};
use crate::engine::txn::Txn;

/// What somebody asks for. It is planned once, and once more if another request of its group has to be left out; then it is answered.
pub(super) trait Request: Send {
    fn plan(&mut self, txn: &mut Txn<'_>);
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// A request as it was asked, with what came of its last plan.
pub(super) struct Asked<T, P, F: FnOnce(Result<T>)> {
    plan: P,
    planned: Option<Result<T>>,
    answer: Answer<T, F>,
}

impl<T, P, F: FnOnce(Result<T>)> Asked<T, P, F> {
    pub(super) fn new(plan: P, then: F) -> Asked<T, P, F> {
        Asked { plan, planned: None, answer: Answer { then: Some(then), value: std::marker::PhantomData } }
    }
}

impl<T, P, F> Request for Asked<T, P, F>
where
    T: Send,
    P: FnMut(&mut Txn<'_>) -> Result<T> + Send,
    F: FnOnce(Result<T>) + Send,
{
    fn plan(&mut self, txn: &mut Txn<'_>) {
        let planned = (self.plan)(txn);
        // What failed halfway for want of the disk must not stay; a refusal leaves whole facts behind.
        if let Err(why) = &planned
            && why.is_transient()
        {
            txn.spoil(why);
        }
        self.planned = Some(planned);
    }

    fn answer(mut self: Box<Self>, committed: Result<()>) {
        let planned = self.planned.take().unwrap_or(Err(Error::Busy));
        self.answer.give(committed.and(planned));
    }
}

/// Makes sure that every request is answered, also one that the full queue or the ended thread drops: with `Busy`.
struct Answer<T, F: FnOnce(Result<T>)> {
    then: Option<F>,
    value: std::marker::PhantomData<fn(T)>,
}

impl<T, F: FnOnce(Result<T>)> Answer<T, F> {
    fn give(&mut self, answer: Result<T>) {
        if let Some(then) = self.then.take() {
            then(answer);
        }
    }
}

impl<T, F: FnOnce(Result<T>)> Drop for Answer<T, F> {
    fn drop(&mut self) {
        self.give(Err(Error::Busy));
    }
}
