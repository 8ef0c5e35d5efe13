// The most common of Slack's emoji shortcodes.

const NAMED = `
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|ok_hand 👌|wave 👋|clap 👏|raised_hands 🙌|pray 🙏|muscle 💪|raised_hand ✋|hand ✋|
point_up ☝️|point_right 👉|point_left 👈|point_down 👇|v ✌️|crossed_fingers 🤞|handshake 🤝|eyes 👀|brain 🧠|saluting_face 🫡|
smile 😄|smiley 😃|grinning 😀|grin 😁|joy 😂|rolling_on_the_floor_laughing 🤣|slightly_smiling_face 🙂|upside_down_face 🙃|wink 😉|
blush 😊|innocent 😇|heart_eyes 😍|sunglasses 😎|thinking_face 🤔|neutral_face 😐|expressionless 😑|unamused 😒|roll_eyes 🙄|face_with_rolling_eyes 🙄|
grimacing 😬|relieved 😌|sleeping 😴|mask 😷|confused 😕|worried 😟|open_mouth 😮|cry 😢|sob 😭|scream 😱|sweat 😓|sweat_smile 😅|
angry 😠|rage 😡|exploding_head 🤯|partying_face 🥳|shrug 🤷|facepalm 🤦|face_palm 🤦|robot_face 🤖|ghost 👻|skull 💀|poop 💩|hankey 💩|
heart ❤️|orange_heart 🧡|yellow_heart 💛|green_heart 💚|blue_heart 💙|purple_heart 💜|broken_heart 💔|fire 🔥|sparkles ✨|star ⭐|star2 🌟|zap ⚡|boom 💥|
100 💯|tada 🎉|confetti_ball 🎊|balloon 🎈|gift 🎁|trophy 🏆|medal 🏅|dart 🎯|rocket 🚀|airplane ✈️|ship 🚢|construction 🚧|ambulance 🚑|rotating_light 🚨|
white_check_mark ✅|heavy_check_mark ✔️|ballot_box_with_check ☑️|check ✅|x ❌|negative_squared_cross_mark ❎|heavy_plus_sign ➕|heavy_minus_sign ➖|
warning ⚠️|no_entry ⛔|no_entry_sign 🚫|octagonal_sign 🛑|stop_sign 🛑|question ❓|grey_question ❔|exclamation ❗|grey_exclamation ❕|bangbang ‼️|information_source ℹ️|
red_circle 🔴|large_red_circle 🔴|large_orange_circle 🟠|large_yellow_circle 🟡|large_green_circle 🟢|large_blue_circle 🔵|large_purple_circle 🟣|white_circle ⚪|black_circle ⚫|
large_green_square 🟩|large_yellow_square 🟨|large_red_square 🟥|large_blue_square 🟦|white_large_square ⬜|black_large_square ⬛|small_blue_diamond 🔹|small_orange_diamond 🔸|
zzz 💤|hourglass ⌛|hourglass_flowing_sand ⏳|alarm_clock ⏰|stopwatch ⏱️|timer_clock ⏲️|clock1 🕐|clock9 🕘|watch ⌚|calendar 📆|date 📅|spiral_calendar_pad 🗓️|
arrow_forward ▶️|double_vertical_bar ⏸️|pause_button ⏸️|black_square_for_stop ⏹️|stop_button ⏹️|fast_forward ⏩|rewind ⏪|arrows_counterclockwise 🔄|repeat 🔁|twisted_rightwards_arrows 🔀|
arrow_right ➡️|arrow_left ⬅️|arrow_up ⬆️|arrow_down ⬇️|arrow_heading_down ⤵️|leftwards_arrow_with_hook ↩️|back 🔙|new 🆕|ok 🆗|sos 🆘|free 🆓|
speech_balloon 💬|left_speech_bubble 🗨️|thought_balloon 💭|mega 📣|loudspeaker 📢|bell 🔔|no_bell 🔕|email 📧|envelope ✉️|incoming_envelope 📨|inbox_tray 📥|outbox_tray 📤|package 📦|
page_facing_up 📄|page_with_curl 📃|memo 📝|pencil 📝|pencil2 ✏️|clipboard 📋|pushpin 📌|round_pushpin 📍|paperclip 📎|link 🔗|scissors ✂️|bookmark 🔖|label 🏷️|
file_folder 📁|open_file_folder 📂|card_file_box 🗃️|file_cabinet 🗄️|wastebasket 🗑️|books 📚|book 📖|newspaper 📰|scroll 📜|
bar_chart 📊|chart_with_upwards_trend 📈|chart_with_downwards_trend 📉|moneybag 💰|dollar 💵|money_with_wings 💸|credit_card 💳|receipt 🧾|
computer 💻|desktop_computer 🖥️|keyboard ⌨️|floppy_disk 💾|minidisc 💽|cd 💿|electric_plug 🔌|battery 🔋|satellite 🛰️|satellite_antenna 📡|iphone 📱|telephone_receiver 📞|
gear ⚙️|wrench 🔧|hammer 🔨|hammer_and_wrench 🛠️|nut_and_bolt 🔩|toolbox 🧰|test_tube 🧪|microscope 🔬|telescope 🔭|magnet 🧲|bulb 💡|flashlight 🔦|
lock 🔒|unlock 🔓|closed_lock_with_key 🔐|key 🔑|shield 🛡️|mag 🔍|mag_right 🔎|bug 🐛|beetle 🪲|ladybug 🐞|snake 🐍|whale 🐳|elephant 🐘|penguin 🐧|crab 🦀|turtle 🐢|cat 🐱|dog 🐶|unicorn_face 🦄|
bust_in_silhouette 👤|busts_in_silhouette 👥|technologist 🧑‍💻|construction_worker 👷|female-technologist 👩‍💻|male-technologist 👨‍💻|detective 🕵️|
triangular_flag_on_post 🚩|checkered_flag 🏁|crossed_flags 🎌|white_flag 🏳️|black_flag 🏴|traffic_light 🚦|vertical_traffic_light 🚦|
sunny ☀️|cloud ☁️|rainbow 🌈|snowflake ❄️|umbrella ☔|ocean 🌊|earth_africa 🌍|earth_americas 🌎|earth_asia 🌏|globe_with_meridians 🌐|seedling 🌱|four_leaf_clover 🍀|
coffee ☕|tea 🍵|beer 🍺|beers 🍻|champagne 🍾|pizza 🍕|cake 🍰|birthday 🎂|apple 🍎|house 🏠|office 🏢|factory 🏭|recycle ♻️|infinity ♾️|
one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|keycap_ten 🔟|zero 0️⃣`;

const EMOJI = new Map(
  NAMED.split("|").map((pair) => {
    const at = pair.trim().lastIndexOf(" ");
    return [pair.trim().slice(0, at), pair.trim().slice(at + 1)];
  }),
);
const TONES = { 2: "\u{1f3fb}", 3: "\u{1f3fc}", 4: "\u{1f3fd}", 5: "\u{1f3fe}", 6: "\u{1f3ff}" };

export const SHORTCODE = /:([a-z0-9_+'-]+):(?::skin-tone-([2-6]):)?/y;

/** Return the character of a shortcode, or null. */
export function emoji(name, tone) {
  const found = EMOJI.get(name);
  return found ? found + (TONES[tone] || "") : null;
}

export const emojiNames = () => [...EMOJI.keys()];

/** Return nodes for plain text in which shortcodes are replaced by emoji. */
export function withEmoji(text) {
  return String(text).replace(
    /:([a-z0-9_+'-]+):(?::skin-tone-([2-6]):)?/g,
    (whole, name, tone) => emoji(name, tone) || whole,
  );
}
