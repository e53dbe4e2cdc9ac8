//! What goes wrong with machines, with stand-ins for QEMU and the tools around it: no image is made and nothing
//! boots, but processes, sockets and namespaces are real, and none of them may stay.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use lab::image::{Images, Recipe, seal};
use lab::process::{Process, poll_until};
use lab::state::ClusterState;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

const TOPOLOGY: &str = r#"
name = "one"
network = "10.60.0.0/24"

[[node]]
name = "node01"
address = "10.60.0.11"
kind = "control-plane"
"#;

/// Ends at once, and says why.
const DIES: &str = "echo 'there is no such machine' >&2; exit 1";
/// Lives, and its monitor never opens.
const HANGS: &str = r#"echo $$ >"$STAND_IN_PID"; exec sleep 1000"#;

/// A checkout with images that are there and empty, and a QEMU that does as it is told.
struct Stage {
    world: World,
    bin: PathBuf,
}

impl Stage {
    fn set(qemu: &str) -> Option<Self> {
        let world = World::new(TOPOLOGY)?;
        let root = world.paths.work_root.clone();
        // Here the recipe and what was made of it are in one directory.
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images");
        std::fs::create_dir_all(root.join("images/units")).expect("directories");
        for file in ["node.toml", "units/role.service", "units/lab-agent.service"] {
            std::fs::copy(recipe.join(file), root.join("images").join(file)).expect(file);
        }
        let images = Images::of(&root.join("images"), &Recipe::load(&root.join("images")).expect("a recipe"));
        std::fs::create_dir_all(images.kernel().parent().expect("a directory")).expect("directories");
        for file in [images.kernel(), images.initrd(), images.disk("base"), images.disk("data")] {
            std::fs::write(file, "").expect("a file");
        }
        seal(images.kernel().parent().expect("a directory")).expect("sealed");
        let stage = Self { bin: root.join("stand-ins"), world };
        std::fs::create_dir(&stage.bin).expect("a directory");
        stage
            .program("qemu-system-x86_64", &format!("[ \"$1\" != --version ] || exec echo 'QEMU 0'; {qemu}"));
        stage.program("qemu-img", r#"for last; do :; done; : >"$last""#);
        stage.program("ssh-keygen", r#"for last; do :; done; echo key >"$last"; echo key >"$last.pub""#);
        stage.program("objcopy", r#": >"$3""#);
        stage.program("mkfs.erofs", r#"for last; do file=$previous; previous=$last; done; : >"$file""#);
        Some(stage)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = self.world.command(arguments);
        command
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .env("STAND_IN_PID", self.pid_file())
            .stdin(Stdio::null());
        command
    }

    fn start(&self) -> Output {
        self.command(&["start", "--nodes", "vm", "--accel", "tcg", "--cold"]).output().expect("lab runs")
    }

    fn begin(&self) -> Child {
        self.command(&["start", "--nodes", "vm", "--accel", "tcg", "--cold"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("lab runs")
    }

    fn pid_file(&self) -> PathBuf {
        self.world.paths.work_root.join("stand-in.pid")
    }

    /// The stand-in that hangs, as soon as it does.
    fn qemu(&self) -> Process {
        let pid = || std::fs::read_to_string(self.pid_file()).ok()?.trim().parse::<i32>().ok();
        assert!(poll_until(SOON, || pid().is_some()), "QEMU was not started");
        Process::of(pid().expect("a pid")).expect("it lives")
    }

    /// What may not be there when no cluster runs.
    fn is_tidy(&self) -> Result<(), String> {
        let paths = &self.world.paths;
        let state = ClusterState::load(paths).expect("state is readable");
        let cgroup = state.as_ref().and_then(|state| state.cgroup.clone());
        if paths.runtime.exists() {
            return Err(format!("{} is there", paths.runtime.display()));
        }
        match cgroup.filter(|cgroup| cgroup.exists()) {
            Some(cgroup) => Err(format!("{} is there", cgroup.display())),
            None => Ok(()),
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_qemu_that_dies_at_once_is_quoted_and_leaves_nothing() {
    let Some(stage) = Stage::set(DIES) else { return };
    let output = stage.start();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in ["node01 does not boot", "QEMU ended while its monitor opens", "there is no such machine"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    stage.is_tidy().expect("tidy");
}

#[test]
fn an_image_that_is_cut_off_is_refused_with_the_way_out() {
    let Some(stage) = Stage::set(DIES) else { return };
    let root = stage.world.paths.work_root.join("images");
    let images = Images::of(&root, &Recipe::load(&root).expect("a recipe"));
    std::fs::write(images.disk("base"), "longer than it was").expect("a file");
    let said = text(&stage.start());
    assert!(said.contains("base.qcow2") && said.contains("./cluster clean"), "{said}");
    stage.is_tidy().expect("tidy");
}

#[test]
fn a_missing_tool_is_named_with_its_package() {
    let Some(stage) = Stage::set(DIES) else { return };
    std::fs::remove_file(stage.bin.join("mkfs.erofs")).expect("removed");
    // Nothing but the stand-ins: what this host has installed must not help.
    let start = ["start", "--nodes", "vm", "--accel", "tcg"];
    let output = stage.command(&start).env("PATH", &stage.bin).output().expect("lab runs");
    let said = text(&output);
    assert!(!output.status.success() && said.contains("(package erofs-utils)"), "{said}");
    stage.is_tidy().expect("tidy");
}

#[test]
fn whoever_goes_while_machines_boot_takes_them_along() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let Some(stage) = Stage::set(HANGS) else { return };
        let mut lab = stage.begin();
        let qemu = stage.qemu();
        kill(Pid::from_raw(lab.id().cast_signed()), signal).expect("a signal");
        assert!(!lab.wait().expect("it ends").success());
        assert!(poll_until(SOON, || !qemu.is_alive()), "{signal}: QEMU lives on");
        assert!(poll_until(SOON, || stage.is_tidy().is_ok()), "{signal}: {:?}", stage.is_tidy());
    }
}

#[test]
fn a_supervisor_that_is_killed_takes_its_machines_along_and_the_next_start_cleans_up() {
    let Some(stage) = Stage::set(HANGS) else { return };
    let mut lab = stage.begin();
    let qemu = stage.qemu();
    assert!(stage.world.state().supervisor.expect("a supervisor").kill());
    assert!(poll_until(SOON, || !qemu.is_alive()), "QEMU lives on");
    assert!(!lab.wait().expect("it ends").success());
    stage.program("qemu-system-x86_64", &format!("[ \"$1\" != --version ] || exec echo 'QEMU 0'; {DIES}"));
    let said = text(&stage.start());
    assert!(said.contains("there is no such machine"), "the next start does not get as far: {said}");
    stage.is_tidy().expect("tidy");
}

#[test]
fn two_clusters_at_once_are_two_work_roots() {
    let Some(stage) = Stage::set(HANGS) else { return };
    let mut first = stage.begin();
    let qemu = stage.qemu();
    let second = text(&stage.start());
    assert!(second.contains("another ./cluster is at work"), "{second}");
    assert!(qemu.is_alive(), "the second has disturbed the first");
    kill(Pid::from_raw(first.id().cast_signed()), Signal::SIGTERM).expect("a signal");
    first.wait().expect("it ends");
    assert!(poll_until(SOON, || !qemu.is_alive()), "QEMU lives on");
}

#[test]
fn a_suite_whose_machines_die_is_not_green_and_keeps_to_directories_of_its_own() {
    let Some(stage) = Stage::set(DIES) else { return };
    let logs = stage.world.paths.work_root.join("logs");
    let suite = ["run-publishable-kvm-suite", logs.to_str().expect("UTF-8"), "--accel", "tcg"];
    let output = stage.command(&suite).output().expect("lab runs");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(logs.join(path)).expect(path)).expect(path)
    };
    let result = read("result.json");
    assert_eq!((&result["success"], &result["publishable"]), (&false.into(), &false.into()));
    assert_eq!(result["lanes"].as_array().expect("lanes").len(), 2);
    for lane in ["smoke", "chainfire-live-membership-proof"] {
        let error = read(&format!("{lane}/latest/result.json"))["error"].to_string();
        assert!(error.contains("there is no such machine"), "{lane}: {error}");
    }
    assert_eq!(read("environment.json")["accelerator"], "tcg");
    assert!(!stage.world.paths.state.exists(), "it used the state of an ordinary cluster");
}
