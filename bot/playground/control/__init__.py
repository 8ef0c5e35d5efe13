"""The control API: what the page, and tests, use to act as the people of the workspace.

All bodies and answers are JSON. An answer has `ok`; where `ok` is false, `error` is a code and `message` one
sentence for a person. Status 400 for a bad request, 403 for a foreign `Origin` or `Host`, 404 for an unknown
user, channel, message or view, 409 for a button that is no longer there. Times of Slack are its `ts` strings.

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
                 `name` of a DM is the other person's name; what `user` cannot see is not listed.
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
    GET /playground/status?channel=&thread_ts=   {ok, status: ""} what the bot said that it is doing

Acting (each needs `user`)
    POST /playground/post      {user, channel, text, thread_ts?} -> {ok, ts, message}
         `text` is what was typed: `@ada`, `@sre`, `#ops` become mentions, `& < >` are escaped as Slack's
         client does; `<@U…>` and `<#C…>` are kept.
    POST /playground/command   {user, channel, command: "/agent", text, thread_ts?}
         -> {ok, ack_ms, response?, error?, message?}
         `response` is the body of the acknowledgement; its text also arrives as an ephemeral.
    POST /playground/action    {user, channel, ts, action_id, block_id?, value?, selected_option?,
                                selected_options?, selected_user?, selected_date?, selected_time?, …,
                                state?, ephemeral?, stale?, message?}
         -> {ok, ack_ms, error?}. The real element is looked up in the message as it is now: gone means 409
         `message_changed`; with `stale: true` and a `message` snapshot that one is clicked all the same.
         `state` is {block_id: {action_id: {type, value | selected_option | …}}} for the message's inputs.
         In a modal or on the home tab: {user, view_id, action_id, block_id?, …, state?}.
    POST /playground/view      {user, view_id, action: "submit" | "close", values?, is_cleared?}
         -> {ok, errors?}
         `values` is shaped like `state` above. `errors` is {block_id: sentence}, both from the form's own
         rules (required, length, …) and from the app's `response_action: errors`. The stream says what
         became of the view.
    POST /playground/shortcut  {user, callback_id, channel?, ts?} -> {ok, ack_ms, error?}   with ts: on a message
    POST /playground/suggest   {user, action_id, block_id?, value, view_id? | channel, ts}
         -> {ok, options, option_groups?}    options of an external_select
    POST /playground/home      {user, tab?: "home" | "messages"} -> {ok, view: View | null}
    POST /playground/reaction  {user, channel, ts, name, remove?} -> {ok}
    POST /playground/join      {user, channel, member?: U…, leave?: bool} -> {ok}    e.g. to add the bot
    POST /playground/delete    {user, channel, ts} -> {ok}      people delete their own messages
    POST /playground/dismiss   {user, ts} -> {ok}               hides an ephemeral ("Only visible to you")

Stream
    GET /playground/stream?user=U…    server-sent events, `id:` increasing, a comment line as heartbeat
        every 15 s; `Last-Event-ID` (or `?last_id=`) resumes; where too much was missed the first event is
        `reset` {}: read again.
    message     {change: "posted" | "changed" | "deleted", channel, ts, thread_ts?, message: Message | null}
                a reply changes its parent too, which comes as `changed` with the new reply_count
    ephemeral   {change: "posted" | "changed" | "deleted", channel, ts, thread_ts?, message: Message | null}
    view        {change: "open" | "push" | "update" | "close" | "clear", view: View | null, view_id,
                 views: [View]}    `views` is the stack afterwards, the top one last; show the top one
    home        {view: View}
    connection  {connected: bool, mode}
    status      {channel, thread_ts, status: "is thinking…"}     an empty status clears it
    channel     {channel: {id, …}}                               membership changed: read the state again
    toast       {code: "operation_timeout" | "dispatch_failed" | …, text}    an error for the acting user
    reset       {}

Arranging (for tests): a new person or channel without a known `id`, else a change of what is named
    POST /playground/people    {id?, name, real_name?, tz?, is_admin?, is_bot?, is_restricted?,
                                is_ultra_restricted?, deleted?, team_id?} -> {ok, user}
         Guests are restricted; `deleted` is deactivated; another `team_id` is somebody of another workspace.
    POST /playground/channels  {id?, name, kind?: "public" | "private" | "mpim" | "im", members?: [U…],
                                is_archived?, teams?: [T…], purpose?} -> {ok, channel}
         The bot is in it only if `members` names it; `teams` are those that share it (Slack Connect).
    GET  /playground/settings  {ok, settings}
    POST /playground/settings  {rate_limits?: bool, rate_scale?: 1.0, calls_per_minute?: {method: number},
                                file_share_delay_s?: 0, missing_root?: "post_to_channel" | "refuse",
                                usergroups_error?: "paid_teams_only" | …, chat_write_public?: bool,
                                ticket_s?: 30} -> {ok, settings}
         What each means: `bot/playground/settings.py`.

Trials (for tests)
    POST /playground/faults      {method, status? | error?, retry_after?, times?: 1, delay_s?,
                                  when?: "before" | "after", match?: {argument: value}} -> {ok}
         method `*` is every one. `when: after` has the effect and then answers with the failure.
         `status: 0` drops the connection, 429 carries Retry-After. Neither status nor error: only late by `delay_s`.
    GET  /playground/faults      {ok, faults: [… with `left`]}
    DELETE /playground/faults    {ok}
    DELETE /playground/calls     {ok}
    POST /playground/disconnect  {how: "warning" | "refresh_requested" | "drop"} -> {ok, connections}
    POST /playground/share       {} -> {ok, shared}    files held back by `file_share_delay_s` are shared now
    POST /playground/redeliver   {event_id?} -> {ok}     the same event (default: the last one) once more
    POST /playground/deliver     {type: "events_api" | "slash_commands" | "interactive", payload}
         -> {ok, ack_ms, response?}    any payload as it is, for forged and repeated ones
"""
