//! Random operations against a naive model in memory, with the file closed and opened again in between.

use conversation_manager::store::{
    Appended, Closed, Closing, NewConversation, NewMessage, Role, Started, Store, StoreError,
    StoreOptions, StoredConversation, StoredMessage, StoredTurn, UnixMillis,
};
use proptest::prelude::*;

use crate::{Folder, check_file, inline};

const RETENTION: i64 = 20;

#[derive(Clone, Debug)]
enum Operation {
    Start { user: usize, room: Option<u8>, key: Option<u8> },
    Append { conversation: i64, role: Role, text: u8, key: Option<u8>, reply_to: Option<i64> },
    Close { conversation: i64, how: Closing },
    Prune,
    Reopen { threaded: bool },
}

fn operation() -> impl Strategy<Value = Operation> {
    let some = |most: u8| proptest::option::of(0..most);
    prop_oneof![
        4 => (0..3_usize, some(2), some(3))
            .prop_map(|(user, room, key)| Operation::Start { user, room, key }),
        10 => (0..9_i64, 0..2_usize, 0..3_u8, some(5), proptest::option::of(0..6_i64)).prop_map(
            |(conversation, role, text, key, reply_to)| Operation::Append {
                conversation, role: Role::ALL[role], text, key, reply_to,
            }
        ),
        3 => (0..9_i64, 0..Closing::ALL.len())
            .prop_map(|(conversation, how)| Operation::Close { conversation, how: Closing::ALL[how] }),
        1 => Just(Operation::Prune),
        1 => any::<bool>().prop_map(|threaded| Operation::Reopen { threaded }),
    ]
}

const USERS: [&str; 3] = ["ada", "grace", ""];

/// What should be there: lists that are searched from front to back.
#[derive(Default)]
struct Model {
    conversations: Vec<(StoredConversation, Vec<StoredMessage>)>,
    started: i64,
}

impl Model {
    fn start(&mut self, new: &NewConversation) -> Result<Started, StoreError> {
        let same = |it: &&(StoredConversation, _)| {
            new.key.is_some() && (&it.0.user, &it.0.key) == (&new.user, &new.key)
        };
        if let Some((found, _)) = self.conversations.iter().find(same) {
            return if found.room == new.room {
                Ok(Started { id: found.id, replayed: true })
            } else {
                Err(StoreError::KeyReused { key: new.key.clone().unwrap(), first: found.id })
            };
        }
        self.started += 1;
        let conversation = StoredConversation {
            id: self.started,
            user: new.user.clone(),
            room: new.room.clone(),
            key: new.key.clone(),
            started_at: new.at,
            active_at: new.at,
            messages: 0,
            closed: None,
        };
        self.conversations.push((conversation, Vec::new()));
        Ok(Started { id: self.started, replayed: false })
    }

    fn append(&mut self, new: &NewMessage) -> Result<Appended, StoreError> {
        let id = new.conversation;
        let (conversation, messages) = self
            .conversations
            .iter_mut()
            .find(|it| it.0.id == id)
            .ok_or(StoreError::NoSuchConversation(id))?;
        let same = |it: &StoredMessage| {
            (&it.text, it.role, it.reply_to) == (&new.text, new.role, new.reply_to)
        };
        if new.key.is_some()
            && let Some(it) = messages.iter().find(|it| it.key == new.key)
        {
            return if same(it) {
                Ok(Appended { seq: it.seq, replayed: true })
            } else {
                Err(StoreError::KeyReused { key: new.key.clone().unwrap(), first: it.seq })
            };
        }
        if let Some(reply_to) = new.reply_to
            && let Some(it) = messages.iter().find(|it| it.reply_to == new.reply_to)
        {
            return if same(it) && new.key.is_none() {
                Ok(Appended { seq: it.seq, replayed: true })
            } else {
                Err(StoreError::AlreadyReplied { conversation: id, reply_to, reply: it.seq })
            };
        }
        if let Some(Closed { how, .. }) = conversation.closed {
            return Err(StoreError::Closed(id, how));
        }
        if let Some(seq) = new.reply_to
            && messages.iter().all(|it| it.seq != seq)
        {
            return Err(StoreError::NoSuchMessage { conversation: id, seq });
        }
        conversation.messages += 1;
        conversation.active_at = new.at;
        let seq = conversation.messages;
        messages.push(StoredMessage {
            seq,
            role: new.role,
            text: new.text.clone(),
            key: new.key.clone(),
            reply_to: new.reply_to,
            at: new.at,
        });
        Ok(Appended { seq, replayed: false })
    }

    fn close(&mut self, id: i64, how: Closing, at: UnixMillis) -> Result<bool, StoreError> {
        let (conversation, _) = self
            .conversations
            .iter_mut()
            .find(|it| it.0.id == id)
            .ok_or(StoreError::NoSuchConversation(id))?;
        let open = conversation.closed.is_none();
        if open {
            conversation.closed = Some(Closed { how, at });
        }
        Ok(open)
    }

    /// Returns how many conversations and how many messages went.
    fn prune(&mut self, now: UnixMillis) -> (u64, u64) {
        let before = self.conversations.len();
        let mut messages = 0;
        self.conversations.retain(|(it, said)| {
            let stays = it.closed.is_none_or(|closed| closed.at.0 > now.0 - RETENTION);
            messages += if stays { 0 } else { said.len() as u64 };
            stays
        });
        ((before - self.conversations.len()) as u64, messages)
    }
}

fn open(options: StoreOptions, threaded: bool) -> Store {
    if threaded { Store::spawn(options).unwrap() } else { inline(options) }
}

/// Everything that can be asked, against what should be the answer.
async fn compare(store: &Store, model: &Model) {
    let (all, said): (Vec<_>, Vec<_>) = model.conversations.iter().cloned().unzip();
    for id in 0..=model.started + 1 {
        let expected = all.iter().position(|it| it.id == id);
        assert_eq!(store.conversation(id).await.unwrap().as_ref(), expected.map(|at| &all[at]));
        let expected = expected.map_or(&[][..], |at| &said[at][..]);
        assert_eq!(store.messages(id, 0, 1_000).await.unwrap(), expected);
        for key in 0..5 {
            let key = key.to_string();
            let asked = expected.iter().find(|it| it.key.as_ref() == Some(&key)).cloned();
            let turn = asked.map(|asked| StoredTurn {
                reply: expected.iter().find(|it| it.reply_to == Some(asked.seq)).cloned(),
                asked,
            });
            assert_eq!(store.turn(id, &key).await.unwrap(), turn);
        }
    }
    for user in USERS {
        let expected: Vec<_> = all.iter().filter(|it| it.user == user).cloned().collect();
        assert_eq!(store.conversations_of(user, 0, 1_000).await.unwrap(), expected);
    }
    let expected: Vec<_> = all.iter().filter(|it| it.closed.is_none()).cloned().collect();
    assert_eq!(store.open().await.unwrap(), expected);
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.conversations, totals.open, totals.messages),
        (all.len() as u64, expected.len() as u64, said.iter().map(Vec::len).sum::<usize>() as u64)
    );
}

async fn play(operations: Vec<Operation>, exclusive: bool) {
    let folder = Folder::new();
    let options = folder
        .options()
        .exclusive(exclusive)
        .retention(std::time::Duration::from_millis(RETENTION.unsigned_abs()));
    let mut store = inline(options.clone());
    let mut model = Model::default();
    let name = |number: u8| number.to_string();
    for (now, operation) in (0..).zip(operations) {
        let at = UnixMillis(now);
        match operation {
            Operation::Start { user, room, key } => {
                let new = NewConversation {
                    user: USERS[user].to_owned(),
                    room: room.map(name),
                    key: key.map(name),
                    at,
                };
                assert_eq!(store.start(new.clone()).await, model.start(&new), "{new:?}");
            }
            Operation::Append { conversation, role, text, key, reply_to } => {
                // Some are long enough to lie on several pages.
                let text = name(text).repeat(1 + 3_000 * usize::from(text));
                let new = NewMessage { conversation, role, text, key: key.map(name), reply_to, at };
                assert_eq!(store.append(new.clone()).await, model.append(&new), "{new:?}");
            }
            Operation::Close { conversation, how } => {
                assert_eq!(
                    store.close(conversation, how, at).await,
                    model.close(conversation, how, at)
                );
            }
            Operation::Prune => {
                let pruned = store.prune(at).await.unwrap();
                assert_eq!((pruned.expired, pruned.messages), model.prune(at));
            }
            Operation::Reopen { threaded } => {
                drop(store);
                store = open(options.clone(), threaded);
                compare(&store, &model).await;
            }
        }
    }
    compare(&store, &model).await;
    drop(store);
    check_file(&folder.file());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_does_what_a_list_in_memory_would(
        operations in proptest::collection::vec(operation(), 1..120),
        exclusive: bool,
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(play(operations, exclusive));
    }
}
