//! The model: plain lists, counted from scratch each time.

use std::time::Duration;

use conversation_manager::{ConversationId, Ended, Expiry, Limits, Refused, UserId};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Life {
    Active,
    Completed,
    Failed,
    Abandoned,
    Expired(Expiry),
}

#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) user: u8,
    pub(crate) started: u64,
    pub(crate) touched: u64,
    pub(crate) life: Life,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    Waits,
    Granted { talk: usize, waited: u64 },
    Refused(Refused),
    Cancelled,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) user: u8,
    pub(crate) since: u64,
    pub(crate) until: u64,
    pub(crate) fate: Fate,
}

pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) limits: Limits,
    pub(crate) closing: bool,
    pub(crate) talks: Vec<Talk>,
    /// In the order of arrival; only those who had to wait.
    pub(crate) requests: Vec<Request>,
    pub(crate) refused_at_once: Vec<Refused>,
    pub(crate) peak: usize,
}

pub(crate) fn name(user: u8) -> UserId {
    UserId::from(format!("user-{user}"))
}

impl Model {
    pub(crate) fn active(&self) -> impl Iterator<Item = (usize, &Talk)> {
        self.talks.iter().enumerate().filter(|(_, talk)| talk.life == Life::Active)
    }

    pub(crate) fn active_of(&self, user: u8) -> usize {
        self.active().filter(|(_, talk)| talk.user == user).count()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.requests.iter().filter(|request| request.fate == Fate::Waits).count()
    }

    pub(crate) fn settle(&mut self) {
        let now = self.now;
        for request in self.requests.iter_mut().filter(|r| r.fate == Fate::Waits && r.until < now) {
            request.fate = Fate::Refused(Refused::TimedOut {
                waited: Duration::from_nanos(now - request.since),
            });
        }
        let (idle, longest) = (
            self.limits.idle_timeout.as_nanos() as u64,
            self.limits.max_duration.as_nanos() as u64,
        );
        for talk in self.talks.iter_mut().filter(|talk| talk.life == Life::Active) {
            let (lasts, idles) = (talk.started + longest, talk.touched + idle);
            if lasts.min(idles) <= now {
                talk.life =
                    Life::Expired(if lasts <= idles { Expiry::MaxDuration } else { Expiry::Idle });
            }
        }
        self.serve();
    }

    /// The first who may start does, until there are no slots or nobody may.
    pub(crate) fn serve(&mut self) {
        while self.active().count() < self.limits.max_concurrent {
            let may = |r: &Request| {
                r.fate == Fate::Waits && self.active_of(r.user) < self.limits.max_per_user
            };
            let Some(next) = self.requests.iter().position(may) else {
                break;
            };
            let (user, waited) = (self.requests[next].user, self.now - self.requests[next].since);
            let talk = self.open(user);
            self.requests[next].fate = Fate::Granted { talk, waited };
        }
    }

    pub(crate) fn open(&mut self, user: u8) -> usize {
        self.talks.push(Talk { user, started: self.now, touched: self.now, life: Life::Active });
        self.peak = self.peak.max(self.active().count());
        self.talks.len() - 1
    }

    pub(crate) fn admit(&mut self, user: u8) -> Result<usize, Refused> {
        let (active, of_user) = (self.active().count(), self.active_of(user));
        let Limits { max_concurrent, max_per_user, .. } = self.limits;
        if self.closing {
            Err(Refused::ShuttingDown)
        } else if active >= max_concurrent {
            Err(Refused::GlobalLimit { active, limit: max_concurrent })
        } else if of_user >= max_per_user {
            Err(Refused::UserLimit { user: name(user), active: of_user, limit: max_per_user })
        } else {
            Ok(self.open(user))
        }
    }

    pub(crate) fn refuse(&mut self, refused: Refused) -> Refused {
        self.refused_at_once.push(refused.clone());
        refused
    }

    pub(crate) fn try_start(&mut self, user: u8) -> Result<usize, Refused> {
        self.settle();
        self.admit(user).map_err(|refused| self.refuse(refused))
    }

    /// `Ok(None)`: it waits, as the last of `requests`.
    pub(crate) fn start(
        &mut self,
        user: u8,
        within: Option<u64>,
    ) -> Result<Option<usize>, Refused> {
        self.settle();
        match self.admit(user) {
            Ok(talk) => Ok(Some(talk)),
            Err(Refused::ShuttingDown) => Err(self.refuse(Refused::ShuttingDown)),
            Err(_) => {
                let (waiting, limit) = (self.waiting(), self.limits.max_waiting);
                if waiting >= limit {
                    return Err(self.refuse(Refused::QueueFull { waiting, limit }));
                }
                if within == Some(0) {
                    return Err(self.refuse(Refused::TimedOut { waited: Duration::ZERO }));
                }
                let until = within.map_or(u64::MAX, |within| self.now + within);
                self.requests.push(Request { user, since: self.now, until, fate: Fate::Waits });
                Ok(None)
            }
        }
    }

    pub(crate) fn poll(&mut self, request: usize) -> Fate {
        self.settle();
        let request = &mut self.requests[request];
        if request.fate == Fate::Waits && request.until <= self.now {
            let waited = Duration::from_nanos(self.now - request.since);
            request.fate = Fate::Refused(Refused::TimedOut { waited });
        }
        request.fate.clone()
    }

    pub(crate) fn cancel(&mut self, request: usize) {
        self.settle();
        match self.requests[request].fate {
            Fate::Waits => self.requests[request].fate = Fate::Cancelled,
            Fate::Granted { talk, .. } => drop(self.finish(talk, Life::Abandoned)),
            _ => {}
        }
    }

    pub(crate) fn ended(&self, talk: usize) -> Result<(), Ended> {
        match self.talks[talk].life {
            Life::Expired(how) => Err(Ended { id: ConversationId(talk as u64 + 1), how }),
            _ => Ok(()),
        }
    }

    pub(crate) fn touch(&mut self, talk: usize) -> Result<(), Ended> {
        self.settle();
        self.ended(talk)?;
        self.talks[talk].touched = self.now;
        Ok(())
    }

    pub(crate) fn finish(&mut self, talk: usize, life: Life) -> Result<(), Ended> {
        self.settle();
        self.ended(talk)?;
        self.talks[talk].life = life;
        self.serve();
        Ok(())
    }

    pub(crate) fn resize(&mut self, limits: Limits) {
        self.settle();
        self.limits = limits;
        self.settle();
    }

    pub(crate) fn close(&mut self) -> u64 {
        self.settle();
        self.closing = true;
        let waiting = self.waiting() as u64;
        for request in self.requests.iter_mut().filter(|r| r.fate == Fate::Waits) {
            request.fate = Fate::Refused(Refused::ShuttingDown);
        }
        waiting
    }

    pub(crate) fn cut(&mut self) {
        self.settle();
        for talk in self.talks.iter_mut().filter(|talk| talk.life == Life::Active) {
            talk.life = Life::Expired(Expiry::ShutDown);
        }
    }

    pub(crate) fn lives(&self, life: Life) -> u64 {
        self.talks.iter().filter(|talk| talk.life == life).count() as u64
    }

    pub(crate) fn refusals(&self, reason: &str) -> u64 {
        let waited = self.requests.iter().filter_map(|r| {
            if let Fate::Refused(refused) = &r.fate { Some(refused) } else { None }
        });
        self.refused_at_once
            .iter()
            .chain(waited)
            .filter(|refused| refused.reason() == reason)
            .count() as u64
    }
}
