//! What waits for the committer: requests in turn by whose they are, so that the next group has something of everybody; the engine's own messages
//! before them. Takes from the channel no more than it may hold.
use super::Message;
use super::request::Request;
use crate::base::FairQueue;
use crate::base::limits::COMMIT_QUEUE_LEN;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

/// See above.
#[derive(Default)]
pub(in crate::engine) struct Waiting {
    requests: FairQueue<Box<dyn Request>>,
    own: VecDeque<Message>,
}

impl Waiting {
    /// The next message, if there is one. An end comes after all that was asked before it.
    pub(super) fn next(&mut self, inbox: &Receiver<Message>) -> Option<Message> {
        while self.requests.len() < COMMIT_QUEUE_LEN
            && let Ok(message) = inbox.try_recv()
        {
            self.put(message);
        }
        if !matches!(self.own.front(), None | Some(Message::Close)) || self.requests.is_empty() {
            return self.own.pop_front();
        }
        self.requests.pop().map(|request| Message::Request(0, request))
    }

    /// Waits until there is one; none when nobody can ask any more.
    pub(super) fn wait(&mut self, inbox: &Receiver<Message>) -> Option<Message> {
        self.next(inbox).or_else(|| inbox.recv().ok())
    }

    fn put(&mut self, message: Message) {
        match message {
            Message::Request(whose, request) => self.requests.push(whose, request),
            own => self.own.push_back(own),
        }
    }
}
