//! A trace from a seed: a group comes to be, then people and faults take turns.

mod beside;
mod further;
mod new_groups;

use self::beside::Beside;
use self::further::Further;
use self::new_groups::NewGroups;
use crate::crash::{Crash, Node};
use crate::dice::Dice;
use crate::operation::Operation;
use crate::step::{Device, Group, Step, User};
use crate::trace::{Cast, Trace};
use crate::weather::Weather;

/// Casts of runs for which no number of members was given: few, since each has a stage of its own.
const CASTS: [&[usize]; 6] =
    [&[1, 1, 1], &[2, 1, 1], &[1, 1, 1, 1, 1], &[2, 2, 1, 1], &[1; 6], &[1, 2, 1, 1, 2, 1, 1, 1]];
/// Turns after the beginning.
const TURNS_MIN: usize = 20;
const TURNS_MAX: usize = 60;
/// What moves after one turn, at most.
const WORK_MAX: usize = 60;
/// What moves until a group stands, in most runs.
const FOUNDING_WORK: usize = 300;

/// The trace of a seed, with so many devices, or as many as the seed wants.
pub fn draw(seed: u64, members: Option<usize>) -> Trace {
    let mut dice = Dice::new(seed);
    let cast = match members {
        Some(members) => cast_of(members.max(2), &mut dice),
        None => Cast(dice.pick(&CASTS).map(|cast| cast.to_vec()).unwrap_or_default()),
    };
    let weather = Weather { loses: dice.one_in(2), doubles: dice.one_in(2), swaps: dice.one_in(3) };
    let operates = dice.one_in(2);
    let beside = Beside::draw(seed);
    let cast = if beside.without_hub { beside.in_one_network(&cast) } else { cast };
    let (users, steps, creators) = (cast.users(), Vec::new(), Vec::new());
    let further = Further::draw(seed);
    let new_groups = NewGroups::draw(seed);
    let begins = new_groups.begins;
    let mut drawing =
        Drawing { dice, weather, users, steps, creators, operates, beside, further, new_groups };
    drawing.found();
    for _ in 0..drawing.dice.between(TURNS_MIN, TURNS_MAX) {
        drawing.turn();
    }
    Trace { begins, cast, steps: drawing.steps }
}

/// One or two devices for each account.
fn cast_of(members: usize, dice: &mut Dice) -> Cast {
    let mut left = members;
    let mut cast = Vec::new();
    while left > 0 {
        let devices = if left > 1 && dice.one_in(4) { 2 } else { 1 };
        cast.push(devices);
        left -= devices;
    }
    Cast(cast)
}

struct Drawing {
    dice: Dice,
    weather: Weather,
    /// The account of each device.
    users: Vec<User>,
    steps: Vec<Step>,
    /// The account that made each group, as far as it was made.
    creators: Vec<User>,
    /// Whether people want more than the plainest things.
    operates: bool,
    beside: Beside,
    further: Further,
    new_groups: NewGroups,
}

impl Drawing {
    /// A group of nearly everybody.
    fn found(&mut self) {
        let device = self.device();
        self.create(device);
        let calm = !self.dice.one_in(4);
        self.work(FOUNDING_WORK, calm);
        let others: Vec<User> =
            self.accounts().into_iter().filter(|_| !self.dice.one_in(6)).collect();
        self.steps.push(Step::Invite { device, group: 0, users: others });
        self.work(FOUNDING_WORK, calm);
        self.begin_further(device);
        self.begin_new_groups(device);
        self.hand_over_first(device, calm);
    }

    fn create(&mut self, device: Device) {
        let on_matrix = self.users.get(device).is_some_and(|user| user % 2 == 0);
        let both = !self.dice.one_in(8) && !self.beside.without_hub;
        self.creators.push(self.users.get(device).copied().unwrap_or(0));
        self.steps.push(Step::Create {
            device,
            matrix: both || on_matrix,
            xmpp: both || !on_matrix,
        });
    }

    /// One thing that somebody, or a fault, does, and some of what follows from it.
    fn turn(&mut self) {
        let group = self.dice.below(self.creators.len());
        let device = self.device();
        let user = self.account();
        let step = match self.dice.below(100) {
            0..28 => Step::Send { device, group, count: self.dice.between(1, 3) },
            28..36 => Step::Rotate { device, group },
            36..43 => self.invite(group),
            43..49 => Step::Remove { device: self.admin(group), group, user },
            49..51 => Step::Leave { device, group },
            51..55 => Step::Rejoin { device, group },
            55..59 => Step::Kick { user, group },
            59..61 => Step::Oust { user, group },
            61..65 => Step::Cut { device },
            65..68 => Step::Sleep { device },
            68..73 => Step::Back { device },
            73..75 => Step::Part { matrix: self.dice.one_in(2) },
            75..78 => Step::Mend { matrix: self.dice.one_in(2) },
            78..89 => self.crash(device),
            89..91 => Step::Lose { device },
            91 => Step::Bury { device },
            92 if self.creators.len() < 2 => return self.create(device),
            93 => return self.new_hub_keys(),
            _ => self.time(),
        };
        self.steps.push(step);
        if self.operates && self.dice.one_in(3) {
            self.operate();
        }
        self.turn_beside(group);
        self.turn_further();
        self.turn_new_groups();
        if !self.dice.one_in(4) {
            let count = self.dice.between(1, WORK_MAX);
            self.work(count, false);
        }
    }

    fn work(&mut self, count: usize, calm: bool) {
        let weather = if calm { Weather::default() } else { self.weather };
        self.steps.push(Step::Work { count, seed: self.dice.seed(), weather });
    }

    fn invite(&mut self, group: Group) -> Step {
        let device = self.admin(group);
        let count = self.dice.between(1, 2);
        let users = (0..count).map(|_| self.account()).collect();
        Step::Invite { device, group, users }
    }

    fn crash(&mut self, device: Device) -> Step {
        let node = if self.dice.one_in(3) { Node::Hub } else { Node::Device(device) };
        let crashes = [Crash::Before, Crash::After, Crash::Amid, Crash::Power];
        let crash = self.dice.pick(&crashes).copied().unwrap_or(Crash::After);
        Step::Crash { node, after: self.dice.between(1, 8), crash }
    }

    /// One thing more that somebody wants.
    fn operate(&mut self) {
        let group = self.dice.below(self.creators.len());
        let (device, admin) = (self.device(), self.admin(group));
        let user = self.account();
        let psk = if self.dice.one_in(4) { 1 } else { 0 };
        let (device, operation) = match self.dice.below(40) {
            0..4 => (admin, Operation::Open(!self.dice.one_in(4))),
            4..6 => (admin, Operation::MembersMayAdd(self.dice.one_in(2))),
            6..9 => (admin, Operation::Admin(user)),
            9 => (admin, Operation::NoAdmin(user)),
            10 => (admin, Operation::JoinPsk(self.dice.one_in(2).then_some(psk))),
            11..14 => return self.hold_and_use(admin, group, psk),
            14 => (admin, Operation::PastEpoch { back: 1 }),
            15..20 => (device, Operation::ProposeUpdate),
            20..23 => (admin, Operation::ProposeAdd(user)),
            23..26 => (admin, Operation::ProposeRemove(user)),
            26..34 => return self.let_in(device, group),
            _ => {
                let suite = u16::try_from(self.dice.between(1, 3)).unwrap_or(1);
                (admin, Operation::ReInit { suite, opens: false })
            }
        };
        self.steps.push(Step::Operate { device, group, operation });
    }

    /// People hand a PSK over, and an admin uses it.
    fn hold_and_use(&mut self, admin: Device, group: Group, psk: u8) {
        for device in 0..self.users.len() {
            if !self.dice.one_in(12) {
                let operation = Operation::Hold(psk);
                self.steps.push(Step::Operate { device, group, operation });
                self.work(WORK_MAX, false);
            }
        }
        let anyway = self.dice.one_in(8);
        let operation = Operation::UsePsk { psk, anyway };
        self.steps.push(Step::Operate { device: admin, group, operation });
    }

    /// An account is let into the room, and one of its devices wants to join.
    fn let_in(&mut self, device: Device, group: Group) {
        let user = self.users.get(device).copied().unwrap_or(0);
        self.steps.push(Step::LetIn { user, group });
        self.work(WORK_MAX, false);
        let operation = Operation::Join;
        self.steps.push(Step::Operate { device, group, operation });
    }

    /// The hub's keys are replaced, which members hear of within a day of their connecting.
    fn new_hub_keys(&mut self) {
        self.steps.push(Step::HubKeys);
        self.work(WORK_MAX, false);
        self.steps.push(Step::Time { seconds: 25 * 3600 });
        for device in 0..self.users.len() {
            if !self.dice.one_in(4) {
                self.steps.push(Step::Back { device });
            }
        }
        self.work(WORK_MAX, false);
    }

    fn time(&mut self) -> Step {
        let seconds = match self.dice.below(24) {
            0..16 => 20,
            16..20 => 100,
            20..22 => 900,
            22 => 4000,
            _ => 3 * 24 * 3600,
        };
        Step::Time { seconds }
    }

    fn device(&mut self) -> Device {
        self.dice.below(self.users.len())
    }

    /// Mostly a device of who made the group: others may not add and remove.
    fn admin(&mut self, group: Group) -> Device {
        let creator = self.creators.get(group).copied();
        let own: Vec<Device> = (0..self.users.len())
            .filter(|device| self.users.get(*device).copied() == creator)
            .collect();
        match self.dice.one_in(8) {
            true => self.device(),
            false => self.dice.pick(&own).copied().unwrap_or(0),
        }
    }

    fn account(&mut self) -> User {
        let accounts = self.accounts();
        self.dice.pick(&accounts).copied().unwrap_or(0)
    }

    fn accounts(&self) -> Vec<User> {
        let mut accounts = self.users.clone();
        accounts.dedup();
        accounts
    }
}
