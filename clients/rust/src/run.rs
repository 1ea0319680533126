//! A run as its caller sees it: its events, its text, its messages, its end.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, TryStreamExt as _};
use tonic::Code;

use crate::conversation::Begun;
use crate::following::Following;
use crate::messages::{Growing, Key, Opening, wholes};
use crate::v1::event::Payload;
use crate::v1::{AttachRequest, CancelRequest, Completion, Event, Message, Role, RunRequest, RunStarted};
use crate::{Client, Error, MessageStream, RunEnded};

/// One run. Everything that reads it follows it by a call of its own, from where the run was asked for: any number may
/// read, at the same time, later, and again. To drop what reads ends it, wherever it stands, and cancels its call. That
/// does not cancel the run; the server does, some seconds after nobody follows it any more.
#[derive(Clone, Debug)]
pub struct Run {
    pub(crate) client: Client,
    pub(crate) start: Option<Arc<RunRequest>>,
    pub(crate) attach: AttachRequest,
    pub(crate) deadline: Option<Duration>,
    pub(crate) begun: Option<Arc<Begun>>,
}

impl Run {
    pub(crate) fn started_by(client: Client, request: RunRequest) -> Self {
        let (app_name, request_id) = (request.app_name.clone(), request.request_id.clone());
        let attach = AttachRequest { app_name, request_id, after_sequence: 0, stream: request.stream.clone() };
        Self { client, start: Some(Arc::new(request)), attach, deadline: None, begun: None }
    }

    pub(crate) fn attached(client: Client, attach: AttachRequest) -> Self {
        Self { client, start: None, attach, deadline: None, begun: None }
    }

    /// Gives the run a deadline, counted from when a reading begins. It then ends TIMED_OUT.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// The run's name.
    pub fn request_id(&self) -> &str {
        &self.attach.request_id
    }

    /// Returns the run's events, to its completion. Every durable one comes exactly once; the deltas of a message may
    /// come again from its beginning. One whose payload is none is of a newer server.
    pub fn events(&self) -> impl Stream<Item = Result<Event, Error>> + Send + Unpin + use<> {
        Box::pin(stream::try_unfold(Following::new(self.clone()), |mut following| async move {
            Ok(following.next().await?.map(|event| (event, following)))
        }))
    }

    /// Returns the assistant's text, each piece once, whatever the connection does.
    pub fn deltas(&self) -> impl Stream<Item = Result<String, Error>> + Send + Unpin + use<> {
        let mut texts = HashMap::<String, Growing>::new();
        self.events().try_filter_map(move |event| {
            let piece = match event.payload {
                Some(Payload::TextDelta(delta)) => {
                    texts.entry(delta.message_id).or_default().put(delta.offset, &delta.text)
                }
                Some(Payload::Message(said)) => said
                    .message
                    .filter(|message| message.role() == Role::Assistant)
                    .map(|message| texts.remove(&said.message_id).unwrap_or_default().rest(&message.content)),
                _ => None,
            };
            ready(Ok(piece.filter(|piece| !piece.is_empty())))
        })
    }

    /// Waits for the end, and returns how the run ended.
    pub async fn result(&self) -> Result<Completion, Error> {
        Ok(self.end().await?.0)
    }

    /// Waits for the end, and returns the text of the last message. A run that does not end well is an error.
    pub async fn text(&self) -> Result<String, Error> {
        let (completion, text) = self.end().await?;
        let last = RunEnded::unless_completed(completion)?.message.unwrap_or_default().content;
        Ok(if last.is_empty() { text } else { last })
    }

    async fn end(&self) -> Result<(Completion, String), Error> {
        let mut events = self.events();
        let mut text = String::new();
        while let Some(event) = events.try_next().await? {
            match event.payload {
                Some(Payload::Completion(completion)) => return Ok((completion, text)),
                Some(Payload::Message(said)) => {
                    let message = said.message.unwrap_or_default();
                    if message.role() == Role::Assistant && !message.content.is_empty() {
                        text = message.content;
                    }
                }
                _ => {}
            }
        }
        Err(Error::call(Code::OutOfRange, "the reading began behind the run's completion"))
    }

    /// Returns the run's messages, each when it is whole: the assistant's, and tools' results as messages of role tool.
    /// A run that does not end well is an error at the end.
    pub fn messages(&self) -> impl Stream<Item = Result<Message, Error>> + Send + Unpin + use<> {
        let each = |event: Event| {
            let messages: Vec<_> = wholes(&event).into_iter().map(|(_, message)| Ok(message)).collect();
            stream::iter(messages.into_iter().chain(ending(event)))
        };
        self.events().map_ok(each).try_flatten()
    }

    /// Returns a stream for each of those messages as soon as it begins.
    pub fn message_streams(&self) -> impl Stream<Item = Result<MessageStream, Error>> + Send + Unpin + use<> {
        let (run, mut opening) = (self.clone(), Opening::default());
        let each = move |event: Event| {
            let begun: Vec<_> =
                opening.note(&event).into_iter().map(|key| Ok(run.message_stream(key, &event))).collect();
            stream::iter(begun.into_iter().chain(ending(event)))
        };
        self.events().map_ok(each).try_flatten()
    }

    fn message_stream(&self, key: Key, event: &Event) -> MessageStream {
        // Deltas have the sequence of the event before them.
        let after_sequence = if event.partial { event.sequence } else { event.sequence - 1 };
        let attach = AttachRequest { after_sequence, ..self.attach.clone() };
        MessageStream::new(Run { attach, start: None, ..self.clone() }, key, event.attempt)
    }

    /// Asks the run to stop. Returns whether that changed anything.
    pub async fn cancel(&self, reason: &str) -> Result<bool, Error> {
        let AttachRequest { app_name, request_id, .. } = self.attach.clone();
        let request = CancelRequest { app_name, request_id, reason: reason.to_owned(), ..Default::default() };
        Ok(self.client.cancel(request).await?.changed)
    }

    pub(crate) fn note_started(&self, started: &RunStarted) {
        let session = started.run.as_ref().and_then(|run| run.session.as_ref());
        if let (Some(begun), Some(session)) = (&self.begun, session) {
            begun.note(&self.attach, &session.session_id);
        }
    }
}

fn ending<T>(event: Event) -> Option<Result<T, Error>> {
    match event.payload {
        Some(Payload::Completion(completion)) => RunEnded::unless_completed(completion).err().map(Err),
        _ => None,
    }
}
