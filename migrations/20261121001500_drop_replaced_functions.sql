-- What newer functions replaced before anything was released: nothing calls them any more.

drop function public.record_gaps_v1(smallint, smallint, tstzmultirange, text, timestamptz);
drop function public.claim_gaps_v1(text, timestamptz, double precision, integer, text);
drop function public.release_gap_v1(bigint, text, integer, timestamptz, timestamptz, text, tstzmultirange);
drop function public.count_candles_v1(smallint, smallint, timestamptz, timestamptz);

drop index public.candle_gaps_to_claim;
