//! A run as its caller sees it: its events, its text, its messages, its end.

use std::collections::{HashMap, HashSet};
use std::{future::ready, sync::Arc, time::Duration};

use async_stream::try_stream;
use futures_util::stream::{self, Stream, TryStreamExt as _};
use tonic::Status;

use crate::v1::event::Payload;
use crate::v1::runner_service_client::RunnerServiceClient;
use crate::v1::{AttachRequest, CancelRequest, Completion, Event, Message, Outcome, Role, RunRequest, RunStarted};
use crate::{Client, Error, following::follow, retry, v1};

/// One run. Any number may read it, at the same time, later, again: each follows it by a call of its own, which ends when
/// the reading is dropped. That does not cancel the run; the server does, some seconds after nobody follows it any more.
#[derive(Clone)]
pub struct Run {
    pub(crate) client: Client,
    pub(crate) start: Option<Arc<RunRequest>>,
    pub(crate) attach: AttachRequest,
    pub(crate) deadline: Option<Duration>,
    pub(crate) on_started: Arc<dyn Fn(&RunStarted) + Send + Sync>,
}

impl Run {
    /// Gives the run a deadline, counted from when a reading begins. It then ends TIMED_OUT.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Returns its name.
    pub fn request_id(&self) -> &str {
        &self.attach.request_id
    }

    /// Returns the run's events, to its completion. Every durable one comes exactly once; the deltas of a message may
    /// come again from its beginning. One whose payload is none is of a newer server.
    pub fn events(&self) -> impl Stream<Item = Result<Event, Error>> + Send + Unpin + use<> {
        Box::pin(follow(self.clone()).try_filter_map(|event| ready(Ok(event))))
    }

    /// Returns the assistant's text, each piece once, whatever the connection does.
    pub fn deltas(&self) -> impl Stream<Item = Result<String, Error>> + Send + Unpin + use<> {
        let mut texts = HashMap::new();
        let mut piece = move |event: Event| match event.payload? {
            Payload::TextDelta(it) => fresh(texts.entry(it.message_id).or_default(), it.offset, &it.text),
            Payload::Message(it) => {
                let mut known = texts.remove(&it.message_id).unwrap_or_default();
                fresh(&mut known, 0, &it.message.filter(|it| it.role() == Role::Assistant)?.content)
            }
            _ => None,
        };
        self.events().try_filter_map(move |event| ready(Ok(piece(event))))
    }

    /// Waits for the end, and returns how the run ended.
    pub async fn result(&self) -> Result<Completion, Error> {
        match self.events().try_fold(None, async |_, event| Ok(event.payload)).await? {
            Some(Payload::Completion(completion)) => Ok(completion),
            _ => Err(Status::out_of_range("the reading began behind the run's completion").into()),
        }
    }

    /// Waits for the end, and returns the text of the last message.
    pub async fn text(&self) -> Result<String, Error> {
        let messages = each(self.clone(), |event| match event.payload.clone() {
            Some(Payload::Message(it)) => it.message.filter(|it| it.role() == Role::Assistant).into_iter().collect(),
            Some(Payload::Completion(it)) => it.message.into_iter().collect(),
            _ => Vec::new(),
        });
        let last = async |last, next: Message| Ok(if next.content.is_empty() { last } else { next.content });
        messages.try_fold(String::new(), last).await
    }

    /// Returns the run's messages, each when it is whole: the assistant's, and tools' results as messages of role tool.
    pub fn messages(&self) -> impl Stream<Item = Result<Message, Error>> + Send + Unpin + use<> {
        each(self.clone(), |event| wholes(event).into_iter().map(|(_, message)| message).collect())
    }

    /// Returns a stream for each of those messages, as soon as it begins.
    pub fn message_streams(&self) -> impl Stream<Item = Result<MessageStream, Error>> + Send + Unpin + use<> {
        let (run, mut known) = (self.clone(), HashSet::new());
        each(self.clone(), move |event| {
            // Deltas have the sequence of the event before them.
            let after_sequence = event.sequence - i64::from(!event.partial);
            let run = run.client.attach(AttachRequest { after_sequence, ..run.attach.clone() });
            let ids = wholes(event).into_iter().map(|(id, _)| id).chain(growth(event).map(|(id, ..)| id.to_owned()));
            let new = ids.filter(|id| known.insert(id.clone()));
            new.map(|message_id| MessageStream { run: run.clone(), message_id }).collect()
        })
    }

    /// Asks the run to stop. Returns whether that changed anything.
    pub async fn cancel(&self, reason: &str) -> Result<bool, Error> {
        let AttachRequest { app_name, request_id, .. } = self.attach.clone();
        let cancel = CancelRequest { app_name, request_id, reason: reason.to_owned(), ..Default::default() };
        let call = async |cancel| RunnerServiceClient::new(self.client.service()).cancel(cancel).await;
        Ok(retry(cancel, call).await?.changed)
    }
}

/// One message, from when it begins. It may be read at any time, and by many: each reading is a call of its own.
#[derive(Clone)]
pub struct MessageStream {
    run: Run,
    /// Of a tool's result, the id of its call.
    pub message_id: String,
}

impl MessageStream {
    /// Returns the pieces of its text, from the first. A reader that is late gets them joined.
    pub fn pieces(&self) -> impl Stream<Item = Result<String, Error>> + Send + Unpin + use<> {
        let Self { run, message_id } = self.clone();
        Box::pin(try_stream! {
            let (mut events, mut known) = (each(run, |event| vec![event.clone()]), 0);
            while let Some(event) = events.try_next().await? {
                if let Some((_, whole)) = wholes(&event).into_iter().find(|(id, _)| *id == message_id) {
                    if let Some(rest) = fresh(&mut known, 0, &whole.content) { yield rest }
                    return;
                }
                let piece = growth(&event).filter(|(id, ..)| *id == message_id);
                let piece = piece.and_then(|(_, offset, piece)| fresh(&mut known, offset, piece));
                if let Some(piece) = piece { yield piece }
            }
        })
    }

    /// Waits until it is whole. If it never was, although the run ended well, the error is ABORTED.
    pub async fn message(&self) -> Result<Message, Error> {
        let this = |event: &Event| wholes(event).into_iter().filter(|(id, _)| *id == self.message_id).collect();
        let whole = each(self.run.clone(), this).try_next().await?;
        Ok(whole.ok_or_else(|| Status::aborted("the message was never finished"))?.1)
    }
}

/// Returns what comes of each event. A run that does not end well is an error, at the end.
fn each<T>(run: Run, mut of: impl FnMut(&Event) -> Vec<T> + Unpin) -> impl Stream<Item = Result<T, Error>> + Unpin {
    let each = run.events().map_ok(move |event| {
        let items = of(&event).into_iter().map(Ok);
        stream::iter(items.chain(match event.payload {
            Some(Payload::Completion(it)) if it.outcome() != Outcome::Completed => Some(Err(Error::Ended(it.into()))),
            _ => None,
        }))
    });
    each.try_flatten()
}

/// Returns what is new of a piece, if anything; so many code points are known. One beyond a gap waits for the whole.
fn fresh(known: &mut usize, offset: i64, piece: &str) -> Option<String> {
    let fresh: String = piece.chars().skip(known.checked_sub(usize::try_from(offset).ok()?)?).collect();
    *known += fresh.chars().count();
    Some(fresh).filter(|fresh| !fresh.is_empty())
}

/// Returns which message an event is a piece of, where the piece begins, and its text.
fn growth(event: &Event) -> Option<(&str, i64, &str)> {
    Some(match event.payload.as_ref()? {
        Payload::TextDelta(it) => (&it.message_id, it.offset, &it.text),
        Payload::ReasoningDelta(it) => (&it.message_id, 0, ""),
        Payload::ToolCallDelta(it) => (&it.message_id, 0, ""),
        Payload::ToolOutputDelta(it) => (&it.tool_call_id, it.offset, &it.text),
        _ => return None,
    })
}

/// Returns the messages that are whole with this event, and their ids.
fn wholes(event: &Event) -> Vec<(String, Message)> {
    let (id, message) = match event.payload.clone() {
        Some(Payload::Message(it)) => (it.message_id, it.message),
        Some(Payload::Completion(it)) => (String::new(), it.message),
        Some(Payload::ToolResults(it)) => return it.results.into_iter().map(of_tool).collect(),
        _ => return Vec::new(),
    };
    message.filter(|it| it.role() == Role::Assistant).map(|message| (id, message)).into_iter().collect()
}

fn of_tool(v1::ToolResult { tool_call_id, tool_name, content, .. }: v1::ToolResult) -> (String, Message) {
    let (id, role) = (tool_call_id.clone(), Role::Tool.into());
    (id, Message { role, content, tool_call_id, tool_name, ..Default::default() })
}

#[cfg(test)]
mod tests;
