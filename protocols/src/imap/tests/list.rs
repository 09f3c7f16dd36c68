//! LIST-EXTENDED and LIST-STATUS.
use super::play;

#[test]
fn selection_and_return_options() {
    play(
        "C: a CREATE a/b/c
         S: a OK ...
         C: a DELETE a/b
         S: a OK ...
         C: a SUBSCRIBE a/b/c
         S: a OK ...
         C: a SUBSCRIBE gone/deep
         S: a OK ...
         C: a UNSUBSCRIBE Junk
         S: a OK ...
         C: b LIST (SUBSCRIBED) \"\" *
         S: * LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX
         S: * LIST (\\HasNoChildren \\Drafts \\Subscribed) \"/\" Drafts
         S: * LIST (\\HasNoChildren \\Sent \\Subscribed) \"/\" Sent
         S: * LIST (\\HasNoChildren \\Trash \\Subscribed) \"/\" Trash
         S: * LIST (\\HasNoChildren \\Subscribed) \"/\" a/b/c
         S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" gone/deep
         S: b OK ...
         C: c LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a% gone)
         S: * LIST (\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))
         S: * LIST (\\HasNoChildren \\NonExistent) \"/\" gone (\"CHILDINFO\" (\"SUBSCRIBED\"))
         S: c OK ...
         C: d LIST \"\" a/% RETURN (SUBSCRIBED CHILDREN)
         S: * LIST (\\HasChildren \\NonExistent) \"/\" a/b
         S: d OK ...
         C: e LIST (SPECIAL-USE) \"\" (D* \"S*\") RETURN (SPECIAL-USE)
         S: * LIST (\\HasNoChildren \\Drafts) \"/\" Drafts
         S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent
         S: e OK ...
         C: f LIST (RECURSIVEMATCH) \"\" *
         S: f BAD ...
         C: g LIST (NONSENSE) \"\" *
         S: g BAD ...
         C: h LIST () \"\" (\"\")
         S: h OK ...
         C: i LIST \"\" I* RETURN (STATUS (MESSAGES UIDNEXT))
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1)
         S: i OK ...
         C: j LIST \"\" a/% RETURN (STATUS (MESSAGES))
         S: * LIST (\\HasChildren \\NonExistent) \"/\" a/b
         S: j OK ...
         C: k LIST \"\" * RETURN (NONSENSE)
         S: k BAD ...
         C: l LIST (REMOTE) \"\" INBOX RETURN ()
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: l OK ...",
    );
}
