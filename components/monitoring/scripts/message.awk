# A message about what has changed, in the form that its receiver takes. POSIX awk, as in busybox.
# Usage: awk -F '\t' -v stack=<name> -v all=<how many findings there are, also those that this receiver is not told of>
#        -v form=<form> [-v chat=…] [-v from=… -v to=… -v date=… -v id=…] -f message.awk
#        part=sent <what was sent last> part=findings <findings>
# sent: rule, label, words, figure. findings: see judge.awk. Forms: subject, text, mail, slack, telegram, webhook.

function json(text, i, c, out) {
  out = ""
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (c == "\\" || c == "\"") out = out "\\" c
    else if (c == "\n") out = out "\\n"
    else if (c == "\t") out = out "\\t"
    else if (c < " ") out = out " "
    else out = out c
  }
  return "\"" out "\""
}

# Slack takes these three as its own (https://docs.slack.dev/messaging/formatting-message-text).
function escaped(text) {
  gsub(/&/, "\\&amp;", text)
  gsub(/</, "\\&lt;", text)
  gsub(/>/, "\\&gt;", text)
  return text
}

# Telegram takes 4096 characters (https://core.telegram.org/bots/api#sendmessage). Whole lines, as awk may count bytes.
function clipped(text) {
  if (length(text) <= 3900) return text
  text = substr(text, 1, 3900)
  sub(/\n[^\n]*$/, "\n…", text)
  return text
}

part == "sent" { before[$1, $2] = $3; order[++sent] = $1 SUBSEP $2; about[sent] = $4 SUBSEP $2 }
part == "findings" {
  still[$2, $3]
  wrong[$7, $3]
  line = toupper($1) ": " $4 "\n  " $5 "\n  " $6 "\n"
  if (($2, $3) in before) { old = old line; olds++ }
  else {
    fresh = fresh (fresh == "" ? "" : "\n") line
    if (news++ == 0) { first = $4; gravest = $1 }
  }
  if (worst == "" || $1 == "critical") worst = $1
  objects = objects (objects == "" ? "" : ",") "{\"name\":" json($2) ",\"label\":" json($3) ",\"severity\":" json($1) \
    ",\"words\":" json($4) ",\"remedy\":" json($5) ",\"page\":" json($6) "}"
}

END {
  for (i = 1; i <= sent; i++) {
    # What has become graver, or less grave, is not over.
    if (order[i] in still || about[i] in wrong) continue
    over = over "no longer: " before[order[i]] "\n"
    ended = ended (ended == "" ? "" : ",") json(before[order[i]])
    if (overs++ == 0) firstOver = before[order[i]]
  }
  if (news > 0) subject = stack ": " gravest ": " first (news > 1 ? " (and " (news - 1) " more)" : "")
  else if (all == 0) subject = stack ": all is well again"
  else subject = stack ": no longer: " firstOver (overs > 1 ? " (and " (overs - 1) " more)" : "")
  text = fresh
  if (over != "") text = text (text == "" ? "" : "\n") over
  if (old != "") text = text (text == "" ? "" : "\n") "Still wrong:\n" old
  text = text "\nAll of it: npm run status -- --stack " stack "\n"

  if (form == "subject") print subject
  else if (form == "text") printf "%s", text
  else if (form == "mail") {
    # Words may have other letters in them, which a header does not take as they are (RFC 5322, 2.2).
    gsub(/[^ -~]/, "?", subject)
    printf "From: %s\nTo: %s\nSubject: %s\nDate: %s\nMessage-ID: <%s>\nMIME-Version: 1.0\n", from, to, subject, date, id
    printf "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n%s", text
  } else if (form == "slack") print "{\"text\":" json("*" escaped(subject) "*\n" escaped(text)) "}"
  else if (form == "telegram")
    print "{\"chat_id\":" json(chat) ",\"text\":" json(clipped(subject "\n\n" text)) ",\"disable_web_page_preview\":true}"
  else if (form == "webhook")
    print "{\"stack\":" json(stack) ",\"state\":" json(worst != "" ? worst : all == 0 ? "ok" : "warning") ",\"subject\":" json(subject) \
      ",\"findings\":[" objects "],\"ended\":[" ended "],\"text\":" json(text) "}"
}
