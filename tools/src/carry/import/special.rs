//! Where a folder of the source goes: under the mailbox that was named, into the mailbox of its special use, or to its own name.
use crate::carry::names;
use crate::ops::bulk::MailboxRow;

/// What other programs call the folders of RFC 6154's special uses.
const WELL_KNOWN: [(&str, &[&str]); 4] = [
    (
        "\\Sent",
        &["Sent", "Sent Items", "Sent Messages", "Sent Mail", "[Gmail]/Sent Mail", "已发送", "已发送邮件", "寄件備份"],
    ),
    ("\\Drafts", &["Drafts", "Draft", "[Gmail]/Drafts", "草稿", "草稿箱", "草稿夹"]),
    ("\\Junk", &["Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail", "[Gmail]/Spam", "垃圾邮件", "垃圾箱"]),
    ("\\Trash", &["Trash", "Deleted Items", "Deleted Messages", "[Gmail]/Trash", "已删除", "已删除邮件"]),
];

/// Names mailboxes.
pub(in crate::carry) struct Names {
    under: Option<String>,
    /// Folder name in the source, mailbox here.
    special: Vec<(&'static str, String)>,
}

impl Names {
    /// Everything goes below `under`, if it is given. `mailboxes` are those of the account.
    pub(in crate::carry) fn new(under: Option<String>, keep_names: bool, mailboxes: &[MailboxRow]) -> Names {
        let mut special = Vec::new();
        if !keep_names && under.is_none() {
            for (attribute, known) in WELL_KNOWN {
                let ours = mailboxes.iter().find(|row| row.special_use.as_deref() == Some(attribute));
                // An account that was never used gets its mailboxes with the first message, under our names.
                let ours = ours.map_or_else(|| attribute[1..].to_owned(), |row| row.name.clone());
                special.extend(known.iter().map(|name| (*name, ours.clone())));
            }
        }
        Names { under, special }
    }

    /// The mailbox for a folder of these levels; none is the source itself.
    pub(super) fn place(&self, levels: &[String]) -> String {
        let name = names::mailbox(levels.iter().cloned());
        match &self.under {
            Some(under) if name.is_empty() || name.eq_ignore_ascii_case("INBOX") => under.clone(),
            Some(under) => format!("{under}/{name}"),
            None if name.is_empty() || name.eq_ignore_ascii_case("INBOX") => "INBOX".into(),
            None => {
                let special = self.special.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
                special.map_or(name, |(_, ours)| ours.clone())
            }
        }
    }

    /// The mailbox for one that an export names: exactly that, or below the mailbox that was named.
    pub(in crate::carry) fn exact(&self, name: &str) -> String {
        match &self.under {
            Some(under) if name == "INBOX" => under.clone(),
            Some(under) => format!("{under}/{name}"),
            None => name.to_owned(),
        }
    }

    /// A mailbox of another store below the one that was named, INBOX too.
    pub(in crate::carry) fn below(&self, name: &str) -> String {
        self.under.as_ref().map_or_else(|| name.to_owned(), |under| format!("{under}/{name}"))
    }

    /// Whether mailboxes keep their attributes.
    pub(super) fn is_at_home(&self) -> bool {
        self.under.is_none()
    }
}
