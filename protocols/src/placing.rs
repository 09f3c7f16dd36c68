//! Places of copies, as the mail flow names them, as the queue keeps them and as the store takes them. Decides none.
use posthouse_engine::base::{AccountId, Flags};
use posthouse_engine::delivery::{Delivered, Place, Target};
use posthouse_engine::directory::Recipient;
use posthouse_engine::index::{FlagMode, SpecialUse, UidSet};
use posthouse_engine::mailflow::sieve::Filing;
use posthouse_engine::mailflow::{Copy, TRANSFER_FOLDER};
use posthouse_engine::queue::{Folder, Placed};
use posthouse_engine::{Engine, Store};

const SYSTEM: [(&str, Flags); 5] = [
    ("\\Seen", Flags::SEEN),
    ("\\Answered", Flags::ANSWERED),
    ("\\Flagged", Flags::FLAGGED),
    ("\\Deleted", Flags::DELETED),
    ("\\Draft", Flags::DRAFT),
];

fn system(flag: &str) -> Option<Flags> {
    SYSTEM.iter().find(|(name, _)| name.eq_ignore_ascii_case(flag)).map(|(_, flag)| *flag)
}

/// Whether an account has a mailbox of that name.
pub(crate) fn has_mailbox(engine: &Engine, account: AccountId, name: &str) -> bool {
    let view = engine.account(account);
    name.eq_ignore_ascii_case("INBOX") || view.is_ok_and(|view| view.mailbox_named(name).is_some())
}

/// The copies of one account: none, one, or what its script has filed.
pub(crate) fn placed(copy: Copy, filed: &[Filing]) -> Vec<Placed> {
    let plain = |folder| vec![Placed { folder, flags: Flags::NONE, keywords: Vec::new() }];
    match copy {
        Copy::Inbox => plain(Folder::Inbox),
        Copy::Junk => plain(Folder::Junk),
        Copy::Transfer => plain(Folder::Named(TRANSFER_FOLDER.to_owned())),
        Copy::Filed => filed.iter().map(filing).collect(),
        Copy::Nowhere | Copy::Forwarded | Copy::Discarded | Copy::Held => Vec::new(),
    }
}

fn filing(filing: &Filing) -> Placed {
    let folder = filing.mailbox.clone().map_or(Folder::Inbox, Folder::Named);
    let flags = filing.flags.iter().filter_map(|flag| system(flag)).fold(Flags::NONE, Flags::union);
    Placed { folder, flags, keywords: keywords(filing) }
}

/// Keywords that a script gives a copy; what cannot be one is left out.
fn keywords(filing: &Filing) -> Vec<String> {
    let fits = |flag: &&String| {
        let odd = |c: char| !c.is_ascii_graphic() || "(){%*\"\\]".contains(c);
        !flag.starts_with('\\')
            && !flag.is_empty()
            && flag.len() <= posthouse_engine::base::limits::KEYWORD_BYTES_MAX
            && !flag.contains(odd)
    };
    filing.flags.iter().filter(fits).cloned().collect()
}

/// For the store. A mailbox is made where its name is asked for; the mail flow has seen that another is there, or it is made all the same: a folder
/// that was removed a moment ago loses no mail.
pub(crate) fn target(recipient: &Recipient, placed: &Placed) -> Target {
    let place = match &placed.folder {
        Folder::Inbox => Place::Inbox,
        Folder::Junk => Place::For(SpecialUse::Junk),
        Folder::Named(name) => Place::Named(name.clone()),
    };
    Target { account: recipient.account, place, flags: placed.flags, bound: recipient.bound }
}

/// Puts keywords on a copy that is there: few have any. A failure leaves it without them.
pub(crate) async fn set_keywords(engine: &Engine, account: AccountId, keywords: &[String], copy: &Delivered) {
    if keywords.is_empty() {
        return;
    }
    let store = Store {
        uids: UidSet::range(copy.uid, copy.uid),
        mode: FlagMode::Add,
        flags: Flags::NONE,
        keywords: keywords.to_vec(),
        unchanged_since: None,
    };
    if let Err(error) = engine.store(account, copy.mailbox, store).await {
        tracing::warn!(account = account.0, %error, "a script's keywords were not set");
    }
}
