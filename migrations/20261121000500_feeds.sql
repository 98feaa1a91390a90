-- What every feed process last said of every exchange it follows. Counters count since the process started.
create table public.feeds (
  exchange        text not null,
  feed_id         text not null,
  state           text not null,
  started_at      timestamptz not null,
  updated_at      timestamptz not null,
  last_message_at timestamptz,
  last_trade_at   timestamptz,
  symbols         integer not null default 0,
  trades          bigint not null default 0,
  reconnects      integer not null default 0,
  malformed       bigint not null default 0,
  spooled         bigint not null default 0,
  detail          text not null default '',
  primary key (exchange, feed_id),
  constraint state_is_known
    check (state in ('connecting', 'live', 'stale', 'down', 'stopped')),
  constraint counters_count
    check (symbols >= 0 and trades >= 0 and reconnects >= 0 and malformed >= 0 and spooled >= 0)
);
