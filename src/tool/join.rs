//! Several questions to the client in one round.

use crate::tool::ToolError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Waits for several answers at once: for a tuple of questions of different kinds, or a `Vec` of questions of one kind.
///
/// All are put before any is waited for, so that a client of the stateless dialect gets them in one result and calls again
/// once, and one of the handshake dialect can show them side by side. The first that fails ends the wait; the others are
/// given up.
///
/// ```
/// use perchd::tool::{Call, Sample, ToolError, TryJoin};
///
/// async fn introduction(call: &Call) -> Result<String, ToolError> {
///     let sample = Sample { prompt: "Greet the user".into(), max_tokens: 50, system_prompt: None };
///     let (greeting, roots) = (call.sample("greeting", sample), call.roots("folders")).try_join().await?;
///     Ok(format!("{} You work in {} folders.", greeting.text, roots.len()))
/// }
/// ```
pub trait TryJoin {
    /// The answers, in the order of the questions.
    type Answers;

    /// Waits for all answers, or for the first that fails.
    fn try_join(self) -> impl Future<Output = Result<Self::Answers, ToolError>>;
}

impl<T, F: Future<Output = Result<T, ToolError>>> TryJoin for Vec<F> {
    type Answers = Vec<T>;

    async fn try_join(self) -> Result<Vec<T>, ToolError> {
        let mut questions: Vec<_> = self.into_iter().map(|question| (Box::pin(question), None)).collect();
        poll_fn(|context| {
            let mut is_done = true;
            for (question, answer) in &mut questions {
                is_done &= is_answered(question.as_mut(), answer, context)?;
            }
            if is_done { Poll::Ready(Ok::<_, ToolError>(())) } else { Poll::Pending }
        })
        .await?;
        Ok(questions.into_iter().filter_map(|(_, answer)| answer).collect())
    }
}

macro_rules! tuple {
    ($($answer:ident $kind:ident $name:ident),+) => {
        impl<$($answer, $kind: Future<Output = Result<$answer, ToolError>>),+> TryJoin for ($($kind,)+) {
            type Answers = ($($answer,)+);

            async fn try_join(self) -> Result<Self::Answers, ToolError> {
                let ($($name,)+) = self;
                $(let mut $name = (pin!($name), None);)+
                poll_fn(|context| {
                    let is_done = [$(is_answered($name.0.as_mut(), &mut $name.1, context)?),+];
                    if is_done.contains(&false) {
                        return Poll::Pending;
                    }
                    match ($($name.1.take(),)+) {
                        ($(Some($name),)+) => Poll::Ready(Ok(($($name,)+))),
                        _ => Poll::Pending,
                    }
                })
                .await
            }
        }
    };
}

tuple!(A F first, B G second);
tuple!(A F first, B G second, C H third);
tuple!(A F first, B G second, C H third, D I fourth);

/// Whether the answer is there. A question that was answered is not polled again.
fn is_answered<T, F: Future<Output = Result<T, ToolError>>>(
    question: Pin<&mut F>,
    answer: &mut Option<T>,
    context: &mut Context<'_>,
) -> Result<bool, ToolError> {
    if answer.is_none()
        && let Poll::Ready(given) = question.poll(context)
    {
        *answer = Some(given?);
    }
    Ok(answer.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::{pending, ready};
    use std::task::Waker;

    fn polled<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Counts that it was begun, and never ends.
    async fn begun(count: &Cell<u32>) -> Result<u8, ToolError> {
        count.set(count.get() + 1);
        pending().await
    }

    #[test]
    fn all_are_begun_before_any_is_waited_for() {
        let count = Cell::new(0);
        assert!(polled((begun(&count), begun(&count), begun(&count)).try_join()).is_pending());
        assert_eq!(count.get(), 3);
        assert!(polled(vec![begun(&count), begun(&count)].try_join()).is_pending());
        assert_eq!(count.get(), 5);
    }

    #[test]
    fn the_first_that_fails_ends_the_wait() {
        let failed = || ready(Err::<u8, _>(ToolError::new("no")));
        let tuple = polled((pending::<Result<u8, ToolError>>(), failed()).try_join()).map_ok(drop);
        let list = polled(vec![failed(), failed()].try_join()).map_ok(drop);
        for told in [tuple, list] {
            assert!(matches!(told, Poll::Ready(Err(error)) if error.to_string() == "no"));
        }
    }

    #[test]
    fn answers_stand_in_the_order_of_the_questions_whichever_comes_first() {
        // Pending when it is first asked.
        let late = |answer: u8| {
            let mut is_there = false;
            poll_fn(move |_| if std::mem::replace(&mut is_there, true) { Poll::Ready(Ok(answer)) } else { Poll::Pending })
        };
        let mut context = Context::from_waker(Waker::noop());
        let mut tuple = pin!((late(1), ready(Ok("2")), late(3), ready(Ok(4))).try_join());
        assert!(tuple.as_mut().poll(&mut context).is_pending());
        assert!(matches!(tuple.as_mut().poll(&mut context), Poll::Ready(Ok((1, "2", 3, 4)))));
        let mut list = pin!(vec![late(1), late(2)].try_join());
        assert!(list.as_mut().poll(&mut context).is_pending());
        assert!(matches!(list.as_mut().poll(&mut context), Poll::Ready(Ok(answers)) if answers == [1, 2]));
        let nothing = Vec::<std::future::Ready<Result<u8, ToolError>>>::new();
        assert!(matches!(polled(nothing.try_join()), Poll::Ready(Ok(answers)) if answers.is_empty()));
    }
}
