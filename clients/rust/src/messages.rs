//! The messages of a run: which begin, what they grow by, when they are whole.

use std::collections::HashMap;

use futures_util::stream::{self, Stream};

use crate::following::Following;
use crate::v1::event::Payload;
use crate::v1::{Event, Message, Role, ToolResult};
use crate::{Error, Run, RunEnded};

/// Names a message within its run: whether it is a tool's, and its id. The run's final message may have none.
pub(crate) type Key = (bool, String);

/// One message, from when it begins. It may be read at any time, and by many: each reading is a call of its own.
#[derive(Clone, Debug)]
pub struct MessageStream {
    run: Run,
    key: Key,
    attempt: i32,
}

impl MessageStream {
    pub(crate) fn new(run: Run, key: Key, attempt: i32) -> Self {
        Self { run, key, attempt }
    }

    /// The message's id; of a tool's result, the id of its call. Empty: the final message, if it has no other name.
    pub fn message_id(&self) -> &str {
        &self.key.1
    }

    /// Whether it is a tool's result, not the assistant's.
    pub fn is_tool(&self) -> bool {
        self.key.0
    }

    /// Returns the pieces of its text, from the first. A reader that is late gets them joined.
    pub fn pieces(&self) -> impl Stream<Item = Result<String, Error>> + Send + Unpin + use<> {
        Box::pin(stream::try_unfold(Some(self.reading()), |reading| async move {
            let Some(mut reading) = reading else { return Ok(None) };
            Ok(match reading.next().await? {
                Piece::Text(text) => Some((text, Some(reading))),
                Piece::Whole(message) => {
                    let rest = reading.text.rest(&message.content);
                    (!rest.is_empty()).then_some((rest, None))
                }
            })
        }))
    }

    /// Waits until it is whole.
    pub async fn message(&self) -> Result<Message, Error> {
        let mut reading = self.reading();
        loop {
            if let Piece::Whole(message) = reading.next().await? {
                return Ok(message);
            }
        }
    }

    fn reading(&self) -> Reading {
        let following = Following::new(self.run.clone());
        Reading { following, key: self.key.clone(), attempt: self.attempt, text: Growing::default() }
    }
}

enum Piece {
    Text(String),
    Whole(Message),
}

struct Reading {
    following: Following,
    key: Key,
    attempt: i32,
    text: Growing,
}

impl Reading {
    async fn next(&mut self) -> Result<Piece, Error> {
        let cut = Error::Cut { message_id: self.key.1.clone() };
        while let Some(event) = self.following.next().await? {
            for (key, message) in wholes(&event) {
                let is_final = matches!(event.payload, Some(Payload::Completion(_)));
                if key == self.key || (is_final && !self.key.0 && message.content.starts_with(&self.text.text)) {
                    return Ok(Piece::Whole(message));
                }
            }
            if let Some((key, offset, text)) = growth(&event)
                && key == self.key
                && let Some(piece) = self.text.put(offset, text)
            {
                return Ok(Piece::Text(piece));
            }
            if has_output(&event, &self.key) {
                self.attempt = 0;
            }
            if 0 < self.attempt && self.attempt < event.attempt {
                break;
            }
            if let Some(Payload::Completion(completion)) = event.payload {
                RunEnded::unless_completed(completion)?;
            }
        }
        Err(cut)
    }
}

/// The messages that began and are not whole yet: the attempt that each is of, and its text so far.
#[derive(Default)]
pub(crate) struct Opening(HashMap<Key, (i32, Growing)>);

impl Opening {
    /// Takes an event, and returns the messages that begin with it.
    pub(crate) fn note(&mut self, event: &Event) -> Vec<Key> {
        let open = &mut self.0;
        for (key, (attempt, _)) in open.iter_mut() {
            if has_output(event, key) {
                *attempt = 0;
            }
        }
        open.retain(|_, (attempt, _)| *attempt == 0 || *attempt >= event.attempt);
        let mut begun = Vec::new();
        if let Some((key, offset, text)) = growth(event) {
            if !open.contains_key(&key) {
                begun.push(key.clone());
            }
            open.entry(key).or_insert_with(|| (event.attempt, Growing::default())).1.put(offset, text);
        }
        let is_final = matches!(event.payload, Some(Payload::Completion(_)));
        for (key, message) in wholes(event) {
            let is_open = open.remove(&key).is_some();
            let fits =
                |(key, (_, growing)): (&Key, &(i32, Growing))| !key.0 && message.content.starts_with(&growing.text);
            if !is_open && !(is_final && open.iter().any(fits)) {
                begun.push(key);
            }
        }
        begun
    }
}

/// A text that comes in pieces.
#[derive(Default)]
pub(crate) struct Growing {
    text: String,
    /// Of the text, in code points.
    length: usize,
}

impl Growing {
    /// Takes a piece that begins at `offset`, in code points. Returns what of it is new, if anything. One beyond a gap
    /// waits for the whole message.
    pub(crate) fn put(&mut self, offset: i64, piece: &str) -> Option<String> {
        let known = self.length.checked_sub(usize::try_from(offset).ok()?)?;
        let fresh: String = piece.chars().skip(known).collect();
        self.length += fresh.chars().count();
        self.text += &fresh;
        (!fresh.is_empty()).then_some(fresh)
    }

    /// Returns what the whole has beyond what came in pieces.
    pub(crate) fn rest(&self, whole: &str) -> String {
        whole.chars().skip(self.length).collect()
    }
}

/// Returns the messages that are whole with this event, but those of users and of the system.
pub(crate) fn wholes(event: &Event) -> Vec<(Key, Message)> {
    let (id, message) = match &event.payload {
        Some(Payload::Message(said)) => (said.message_id.clone(), &said.message),
        Some(Payload::Completion(completion)) => (String::new(), &completion.message),
        Some(Payload::ToolResults(round)) => return round.results.iter().map(tool_message).collect(),
        _ => return Vec::new(),
    };
    let message = message.iter().filter(|message| !matches!(message.role(), Role::User | Role::System));
    message.map(|message| ((message.role() == Role::Tool, id.clone()), message.clone())).collect()
}

fn tool_message(result: &ToolResult) -> (Key, Message) {
    let ToolResult { tool_call_id, tool_name, content, .. } = result.clone();
    let role = Role::Tool.into();
    ((true, tool_call_id.clone()), Message { role, content, tool_call_id, tool_name, ..Default::default() })
}

/// Returns which message an event is a piece of, and the piece of its text.
fn growth(event: &Event) -> Option<(Key, i64, &str)> {
    Some(match event.payload.as_ref()? {
        Payload::TextDelta(delta) => ((false, delta.message_id.clone()), delta.offset, &delta.text),
        Payload::ReasoningDelta(delta) => ((false, delta.message_id.clone()), 0, ""),
        Payload::ToolCallDelta(delta) => ((false, delta.message_id.clone()), 0, ""),
        Payload::ToolOutputDelta(delta) => ((true, delta.tool_call_id.clone()), delta.offset, &delta.text),
        _ => return None,
    })
}

/// Whether the call has ended whose output this is: then a later attempt does not cut it, its result may come after a
/// wait.
fn has_output(event: &Event, key: &Key) -> bool {
    let Some(Payload::ToolFinished(finished)) = &event.payload else { return false };
    key.0 && finished.result.as_ref().is_some_and(|result| result.tool_call_id == key.1)
}
