-- What is invented is labelled so in every row that names it: nobody adds a market of a simulator as a real one.
alter table public.instruments
  add constraint invented_markets_say_so
    check (simulated or not (exchange in ('synthetic', 'synthetic_quotes') or exchange like '%-simulated%'));
