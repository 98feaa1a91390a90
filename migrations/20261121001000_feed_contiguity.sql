-- What a feed's trade ids showed: whether they are what a proof takes them to be. `contiguity` sums over the exchange's
-- instruments, `missing` counts the ids that are known to be missing now, `troubled` names the worst few instruments.
alter table public.feeds
  add column contiguity jsonb not null default '{}',
  add column missing bigint not null default 0,
  add column troubled jsonb not null default '[]',
  add constraint missing_counts check (missing >= 0),
  add constraint contiguity_is_an_object check (jsonb_typeof(contiguity) = 'object'),
  add constraint troubled_is_a_short_list
    check (jsonb_typeof(troubled) = 'array' and jsonb_array_length(troubled) <= 20);
