//! Keywords in the decoded subject (F7): refused, or to Junk. Each recipient's own tenant decides, and the sender's for what its members send.
use super::{Case, Letter, Verdict, Wanted, dmarc};
use crate::base::fold;
use crate::directory::{Found, Rule, Scope};

/// Looks for the keywords of the recipient's tenant and of the member's who sends.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    let all_allowed = !verdict.allowed.is_empty() && verdict.allowed.iter().all(|allowed| *allowed);
    if letter.subject.is_empty() {
        return;
    }
    let receiving = case.directory.domain(wanted.address.domain()).map(|domain| domain.tenant);
    let sending = case.member().map(|member| member.tenant).filter(|tenant| Some(*tenant) != receiving);
    // Whom the recipient allows, the sender's own tenant may still forbid.
    let tenants = [receiving.filter(|_| !all_allowed), sending].into_iter().flatten();
    let rules = tenants.flat_map(|tenant| case.directory.rules(&Scope::Tenant(tenant)));
    let mut keywords = rules
        .filter_map(|rule| match rule {
            Rule::Keyword(found, word) => Some((*found, word)),
            _ => None,
        })
        .peekable();
    if keywords.peek().is_none() {
        return;
    }
    // Wide letters, ligatures and capitals are the same words.
    let subject = fold(letter.subject);
    for (found, _) in keywords.filter(|(_, word)| subject.contains(word.folded())) {
        match found {
            Found::Reject => {
                let text = "the subject holds words that this organisation does not take".to_owned();
                verdict.refuse("keyword", "5.7.1", text);
            }
            Found::Quarantine => dmarc::to_junk(verdict, "keyword"),
        }
    }
}
