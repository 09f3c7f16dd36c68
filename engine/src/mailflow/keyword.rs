//! Keywords in the decoded subject (F7): refused, or to Junk. Each recipient's own tenant decides, and the sender's for what its members send.
use super::{Case, Letter, Verdict, Wanted, dmarc};
use crate::directory::{Found, Rule, Scope};
use crate::search::text::fold;

/// Looks for the keywords of the recipient's tenant and of the member's who sends.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    let all_allowed = !verdict.allowed.is_empty() && verdict.allowed.iter().all(|allowed| *allowed);
    if letter.subject.is_empty() || all_allowed {
        return;
    }
    // Wide letters, ligatures and capitals are the same words.
    let subject = fold(letter.subject);
    let receiving = case.directory.domain(wanted.address.domain()).map(|domain| domain.tenant);
    let sending = case.member().map(|member| member.tenant).filter(|tenant| Some(*tenant) != receiving);
    for tenant in [receiving, sending].into_iter().flatten() {
        for rule in case.directory.rules(&Scope::Tenant(tenant)) {
            match rule {
                Rule::Keyword(Found::Reject, text) if subject.contains(&fold(text)) => {
                    let text = "the subject holds words that this organisation does not take".to_owned();
                    verdict.refuse("keyword", "5.7.1", text);
                }
                Rule::Keyword(Found::Quarantine, text) if subject.contains(&fold(text)) => dmarc::to_junk(verdict),
                _ => {}
            }
        }
    }
}
