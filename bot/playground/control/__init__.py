"""The control API, with which the page and tests act as people of the workspace.

All bodies and answers are JSON. An answer has `ok`; where `ok` is false, `error` is a code and `message` one
sentence for a person. Status 400 for a bad request, 403 for a foreign `Origin` or `Host`, 404 for an unknown
user, channel, message or view, 409 for a button that is no longer there. Slack's times are `ts` strings.

Reading
    GET /playground/state?user=U…
        {ok, team: {id, name, domain}, bot: {id, bot_id, app_id, name, real_name}, me: User | null,
         users: [User], usergroups: [{id, handle, name, users: [U…]}], channels: [Channel],
         commands: [{command: "/agent", usage_hint, description}],
         shortcuts: [{callback_id, name, type: "message" | "global"}],
         connected: bool, mode: "socket" | "http" | "none"}
        User    {id, name, real_name, tz, tz_label, color: "9f69e7", is_bot, is_admin, is_restricted,
                 is_ultra_restricted, deleted, team_id}
        Channel {id, name, is_im, is_channel, is_mpim, is_private, is_archived, is_ext_shared, user?,
                 member: bool, bot_member: bool, topic, purpose, num_members, last_ts}
                 `name` of a DM is the other person's name; channels that `user` cannot see are not listed.
    GET /playground/messages?channel=C…&user=U…&thread_ts=&limit=200
        {ok, messages: [Message]} ordered by ts. Without `thread_ts` the channel: parents (with
        reply_count, reply_users, reply_users_count, latest_reply) and broadcast replies; with it the
        parent and its replies. A Message is Slack's object {type, subtype?, user, bot_id?, username?,
        bot_profile?, text, ts, team, blocks?, thread_ts?, edited?, reactions?: [{name, users, count}],
        files?: [File], metadata?}. The ephemerals of `user` are mixed in with `"ephemeral": true`.
        File    {id, name, title, mimetype, filetype, pretty_type, size, url_private,
                 url_private_download, permalink, user, created, preview?}
                `url_private` is `/playground/files/<id>` on this server.
    GET /playground/views?user=U…            {ok, views: [View]} the stack of open modals, the top one last
    GET /playground/files/<id>               the bytes
    GET /playground/calls?method=            {ok, calls: [{method, args, at, ok, error, status, fault: bool}]}
    GET /playground/status?channel=&thread_ts=   {ok, status: "", agent: ""} the bot's status in the thread,
        and that of its agent session: "", "active", "processing", "suspended" or "closed"

Acting (each needs `user`)
    POST /playground/files?user=U…&name=     the bytes -> {ok, file: File}   stored, to be attached to a message
    POST /playground/post      {user, channel, text, thread_ts?, files?: [F…]} -> {ok, ts, message}
         `text` is typed text: `@ada`, `@sre`, `#ops` become mentions, `& < >` are escaped as Slack's
         client does; `<@U…>` and `<#C…>` are kept.
    POST /playground/command   {user, channel, command: "/agent", text, thread_ts?}
         -> {ok, ack_ms, response?, error?, message?}
         `response` is the body of the acknowledgement; its text also arrives as an ephemeral.
    POST /playground/action    {user, channel, ts, action_id, block_id?, value?, selected_option?,
                                selected_options?, selected_user?, selected_date?, selected_time?, …,
                                state?, ephemeral?, stale?, message?}
         -> {ok, ack_ms, error?}. The element is looked up in the stored message; if it is gone the answer is 409
         `message_changed`; with `stale: true` and a `message` snapshot it is looked up in the snapshot instead.
         `state` is {block_id: {action_id: {type, value | selected_option | …}}} for the message's inputs.
         In a modal or on the home tab: {user, view_id, action_id, block_id?, …, state?}.
    POST /playground/view      {user, view_id, action: "submit" | "close", values?, is_cleared?}
         -> {ok, errors?}
         `values` is shaped like `state` above. `errors` is {block_id: sentence}, both from the form's own
         rules (required, length, …) and from the app's `response_action: errors`. The stream reports the
         change of the view.
    POST /playground/shortcut  {user, callback_id, channel?, ts?} -> {ok, ack_ms, error?}   with ts: on a message
    POST /playground/suggest   {user, action_id, block_id?, value, view_id? | channel, ts}
         -> {ok, options, option_groups?}    options of an external_select
    POST /playground/home      {user, tab?: "home" | "messages"} -> {ok, view: View | null}
    POST /playground/reaction  {user, channel, ts, name, remove?} -> {ok}
    POST /playground/join      {user, channel, member?: U…, leave?: bool} -> {ok}    e.g. to add the bot
    POST /playground/delete    {user, channel, ts} -> {ok}      people delete their own messages
    POST /playground/dismiss   {user, ts} -> {ok}               hides an ephemeral ("Only visible to you")
    POST /playground/stop      {user, channel, thread_ts} -> {ok}    the Stop button of an agent session

Stream
    GET /playground/stream?user=U…    server-sent events with increasing `id:`, a comment line as heartbeat
        every 15 s; `Last-Event-ID` (or `?last_id=`) resumes; if too much was missed the first event is
        `reset` {}, after which the page reads its state again.
    message     {change: "posted" | "changed" | "deleted", channel, ts, thread_ts?, message: Message | null}
                a reply changes its parent too, which comes as `changed` with the new reply_count
    ephemeral   {change: "posted" | "changed" | "deleted", channel, ts, thread_ts?, message: Message | null}
    view        {change: "open" | "push" | "update" | "close" | "clear", view: View | null, view_id,
                 views: [View]}    `views` is the stack afterwards, the top one last; show the top one
    home        {view: View}
    connection  {connected: bool, mode}
    status      {channel, thread_ts, status: "is thinking…"}     an empty status clears it
    agent       {channel, thread_ts, agent: "processing"}        the status of an agent session
    channel     {channel: {id, …}}                               membership changed: read the state again
    toast       {code: "operation_timeout" | "dispatch_failed" | …, text}    an error for the acting user
    reset       {}

Arranging (for tests): a known `id` changes that person or channel, otherwise a new one is added
    POST /playground/people    {id?, name, real_name?, tz?, is_admin?, is_bot?, is_restricted?,
                                is_ultra_restricted?, deleted?, team_id?} -> {ok, user}
         Guests are restricted; `deleted` is deactivated; another `team_id` is a person of another workspace.
    POST /playground/channels  {id?, name, kind?: "public" | "private" | "mpim" | "im", members?: [U…],
                                is_archived?, teams?: [T…], purpose?} -> {ok, channel}
         The bot is a member only if `members` names it; `teams` are those that share it (Slack Connect).
    GET  /playground/settings  {ok, settings}
    POST /playground/settings  {rate_limits?: bool, rate_scale?: 1.0, calls_per_minute?: {method: number},
                                file_share_delay_s?: 0, missing_root?: "post_to_channel" | "refuse",
                                usergroups_error?: "paid_teams_only" | …, agents_error?: "feature_not_enabled" | …,
                                chat_write_public?: bool,
                                ticket_s?: 30} -> {ok, settings}
         The settings are described in `bot/playground/settings.py`.

Trials (for tests)
    POST /playground/faults      {method, status? | error?, retry_after?, times?: 1, delay_s?,
                                  when?: "before" | "after", match?: {argument: value}} -> {ok}
         Method `*` means all. With `when: after` the method has its effect, then the failure is answered.
         `status: 0` drops the connection, 429 has Retry-After. Without status and error only `delay_s` applies.
    GET  /playground/faults      {ok, faults: [… with `left`]}
    DELETE /playground/faults    {ok}
    DELETE /playground/calls     {ok}
    POST /playground/disconnect  {how: "warning" | "refresh_requested" | "drop"} -> {ok, connections}
    POST /playground/share       {} -> {ok, shared}    share the files delayed by `file_share_delay_s` now
    POST /playground/redeliver   {event_id?} -> {ok}     deliver an event (default: the last one) again
    POST /playground/deliver     {type: "events_api" | "slash_commands" | "interactive", payload}
         -> {ok, ack_ms, response?}    deliver any payload unchanged, also forged and repeated ones
"""
