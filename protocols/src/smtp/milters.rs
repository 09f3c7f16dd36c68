//! Between a session and the milters: what is shown to them, and what their refusals become. Decides nothing itself.
use super::reply::Reply;
use super::role::Role;
use super::state::{Rcpt, Session, Transaction};
use crate::runtime::now;
use crate::verify::milter::{About, Chain, MilterSettings, Outcome, Refused};
use std::sync::Arc;
use std::time::Instant;

impl Session {
    /// Those that see mail in this role.
    fn milters(&self) -> Vec<Arc<MilterSettings>> {
        let sees = |one: &&Arc<MilterSettings>| match self.role {
            Role::Mx => one.for_hosts,
            Role::Submission => one.for_members,
            Role::Lmtp => false,
        };
        self.shared.milters.iter().filter(sees).cloned().collect()
    }

    /// Shows them who comes and who writes.
    pub(super) async fn show_sender(&self, transaction: &mut Transaction) -> Result<(), Reply> {
        if self.shared.milters.is_empty() {
            return Ok(());
        }
        let (all, id) = (self.milters(), format!("{:X}", transaction.id));
        if all.is_empty() {
            return Ok(());
        }
        let tls = self.stream.tls_info();
        let (version, cipher) =
            tls.map_or_else(Default::default, |tls| (tls.version.to_string(), tls.cipher.to_string()));
        let login = self.login.as_ref().map(|login| login.address.to_string());
        let about = About {
            hostname: &self.shared.hostname,
            peer: self.stream.peer(),
            helo: self.hello.as_ref().map_or("", |hello| &hello.name),
            tls: Some((version.as_str(), cipher.as_str())),
            login: login.as_deref(),
            id: &id,
            sender: &transaction.sender,
        };
        let begun = Chain::begin(&all, &about, self.filters_until()).await;
        match begun {
            Ok(chain) => transaction.milters = Some(Box::new(chain)),
            Err(refused) => return Err(self.refused_by_milter(transaction, "", refused)),
        }
        Ok(())
    }

    /// Shows them a recipient that everybody else would take.
    pub(super) async fn show_recipient(&mut self, rcpt: &Rcpt) -> Result<(), Reply> {
        let Some(mut chain) = self.transaction.as_mut().and_then(|transaction| transaction.milters.take()) else {
            return Ok(());
        };
        let said = chain.recipient(&rcpt.given, self.filters_until()).await;
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        transaction.milters = Some(chain);
        match (said, &self.transaction) {
            (Err(refused), Some(transaction)) => Err(self.refused_by_milter(transaction, &rcpt.given, refused)),
            _ => Ok(()),
        }
    }

    /// Shows them the whole message.
    pub(super) async fn show_message(
        &self,
        transaction: &mut Transaction,
        message: &mut Vec<u8>,
    ) -> Result<Outcome, Reply> {
        let until = *transaction.filters_until.insert(self.filters_until());
        let Some(chain) = transaction.milters.take() else { return Ok(Outcome::default()) };
        let id = format!("{:X}", transaction.id);
        let shown = chain.message(&self.shared.engine, (message, transaction.terms.binary), &id, until).await;
        shown.map_err(|refused| self.refused_by_milter(transaction, "", refused))
    }

    /// Until when all of them together may answer to the command that has just come.
    fn filters_until(&self) -> Instant {
        now() + self.shared.filters_max
    }

    fn refused_by_milter(&self, transaction: &Transaction, recipient: &str, refused: Refused) -> Reply {
        let Refused { milter, code, text } = refused;
        let reply = Reply::new(code, text);
        let policy = format!("milter {milter}");
        self.log_refusal(transaction, &policy, &reply);
        self.note_refused(transaction, recipient, &policy, &reply);
        reply
    }
}
