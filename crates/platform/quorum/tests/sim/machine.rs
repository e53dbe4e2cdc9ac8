//! A replicated set of registers, the smallest state machine that can be caught lying.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kit::Context;
use quorum::{Command, Flush, StateMachine};

/// What a replica has applied, readable from outside.
pub(crate) type Shared = Arc<Mutex<Registers>>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) values: BTreeMap<u8, u64>,
    /// Folds every command in order, so that two replicas that differ anywhere differ here.
    pub(crate) digest: u64,
    pub(crate) applied: u64,
}

/// Sets a register; the reply is its former value.
pub(crate) fn put(key: u8, value: u64) -> Bytes {
    let mut bytes = BytesMut::with_capacity(9);
    bytes.put_u8(key);
    bytes.put_u64(value);
    bytes.freeze()
}

impl Registers {
    fn apply(&mut self, command: &Command) -> Bytes {
        let mut payload = command.payload.clone();
        let (key, value) = (payload.get_u8(), payload.get_u64());
        let former = self.values.insert(key, value).unwrap_or(0);
        let fold =
            |digest: u64, word: u64| (digest ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
        self.digest = [u64::from(key), value, command.index].into_iter().fold(self.digest, fold);
        self.applied = command.index;
        Bytes::copy_from_slice(&former.to_be_bytes())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u64(self.digest);
        out.put_u64(self.applied);
        for (key, value) in &self.values {
            out.put_u8(*key);
            out.put_u64(*value);
        }
        out
    }

    fn decode(mut bytes: &[u8]) -> Self {
        let (digest, applied) = (bytes.get_u64(), bytes.get_u64());
        let mut values = BTreeMap::new();
        while bytes.has_remaining() {
            let key = bytes.get_u8();
            values.insert(key, bytes.get_u64());
        }
        Self { values, digest, applied }
    }
}

/// Registers with a file that only `flush` writes: a crash loses what the log must bring back.
pub(crate) struct Machine {
    context: Context,
    path: PathBuf,
    shared: Shared,
    position: Option<Bytes>,
}

impl Machine {
    pub(crate) fn open(context: &Context, path: PathBuf, shared: Shared) -> io::Result<Self> {
        let mut machine = Self { context: context.clone(), path, shared, position: None };
        machine.load()?;
        Ok(machine)
    }

    fn load(&mut self) -> io::Result<()> {
        *self.shared.lock().unwrap() = Registers::default();
        let file = match self.context.disk().open(&self.path, false) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let mut content = vec![0; file.size()? as usize];
        kit::disk::read_exact_at(file.as_ref(), &mut content, 0)?;
        let mut rest = content.as_slice();
        let length = rest.get_u32() as usize;
        self.position = Some(Bytes::copy_from_slice(&rest[..length]));
        *self.shared.lock().unwrap() = Registers::decode(&rest[length..]);
        Ok(())
    }
}

impl StateMachine for Machine {
    fn position(&self) -> io::Result<Option<Bytes>> {
        Ok(self.position.clone())
    }

    fn apply(&mut self, commands: &[Command], position: &Bytes) -> io::Result<Vec<Bytes>> {
        self.position = Some(position.clone());
        let mut registers = self.shared.lock().unwrap();
        Ok(commands.iter().map(|command| registers.apply(command)).collect())
    }

    fn flush(&mut self) -> io::Result<Flush> {
        let Some(position) = &self.position else { return Ok(Box::new(|| Ok(()))) };
        let mut content = Vec::new();
        content.put_u32(position.len() as u32);
        content.put_slice(position);
        content.put_slice(&self.shared.lock().unwrap().encode());
        let (context, path) = (self.context.clone(), self.path.clone());
        Ok(Box::new(move || context.write_file_atomically(&path, &content)))
    }

    fn export(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.shared.lock().unwrap().encode())))
    }

    fn import(&mut self, image: &mut dyn Read, position: &Bytes) -> io::Result<()> {
        let mut content = Vec::new();
        image.read_to_end(&mut content)?;
        *self.shared.lock().unwrap() = Registers::decode(&content);
        self.position = Some(position.clone());
        self.flush()?()
    }
}
