# What is wrong by the rules, from figures and from what was wrong before. POSIX awk.
# Usage: awk -F '\t' -v now=<seconds of a clock that nobody sets> -v stale=<0 or 1> -v findings=<file> -f judge.awk
#        part=rules <rules.tsv> part=state <state> part=figures <figures>
# stale: whether figures are missing that there may well be; a line without a value is one such figure. What was wrong of
# them stays so, and nothing else becomes wrong.
# rules.tsv: see ../rules-table.ts. figures: name, label, value. Prints the new state, a line for each rule and label that
# is or was wrong: rule, label, since, whether it is told, since when it is right again (or -), its words. Writes the
# findings, the gravest first, of two about one figure the graver one: severity, rule, label, words, remedy, page, figure.

# readable(figure, value): the value in the unit that the figure's name ends with: `readable` of ../rules.ts.
function readable(figure, value) {
  if (figure ~ /_seconds$/) return span(value)
  if (figure ~ /_ratio$/) return sprintf(value < 0.1 ? "%.2g" : "%.3g", value * 100) " %"
  if (figure ~ /_bytes$/) return bytes(value)
  return sprintf(value == int(value) ? "%d" : "%g", value)
}

function span(seconds) {
  if (seconds < 120) return sprintf("%d s", seconds < 0 ? 0 : int(seconds + 0.5))
  if (seconds < 7200) return sprintf("%d minutes", int(seconds / 60))
  if (seconds < 172800) return sprintf("%d hours", int(seconds / 3600))
  return sprintf("%d days", int(seconds / 86400))
}

function bytes(value, unit) {
  split("bytes KiB MiB GiB TiB PiB", units, " ")
  for (unit = 1; value >= 1024 && unit < 6; unit++) value /= 1024
  # "%.3g" writes 1020 as 1.02e+03.
  return (value >= 1000 ? sprintf("%d", int(value / 10 + 0.5) * 10) : sprintf("%.3g", value)) " " units[unit]
}

# put(text, mark, value): the text with the value in place of each mark. Not gsub, to which `&` is the mark itself.
function put(text, mark, value, at, done) {
  done = ""
  while ((at = index(text, mark)) > 0) {
    done = done substr(text, 1, at - 1) value
    text = substr(text, at + length(mark))
  }
  return done text
}

# A finding that comes and goes is one finding until it has stayed away for this long.
BEGIN { settles = 30 }

part == "rules" {
  rule[++rules] = $1; figure[$1] = $2; direction[$1] = $3; limit[$1] = $4 + 0; lasts[$1] = $5 + 0
  severity[$1] = $6; words[$1] = $7; remedy[$1] = $8; page[$1] = $9
}
part == "state" {
  key = $1 SUBSEP $2
  since[key] = $3; told[key] = $4; right[key] = $5; said[key] = $6
  if (!(key in known)) { known[key]; of[$1] = of[$1] $2 SUBSEP }
}
part == "figures" && NF >= 3 && $3 == "" { held[$1, $2] }
part == "figures" && NF >= 3 && $3 != "" { value[$1 SUBSEP $2] = $3 + 0; labels[$1] = labels[$1] $2 SUBSEP }

# all(name): the labels of the rule, of the figures and of the state, each once.
function all(name, list, count, i, seen, unique) {
  count = split(labels[figure[name]] of[name], list, SUBSEP)
  unique = ""
  for (i = 1; i < count; i++) if (!(list[i] in seen)) { seen[list[i]]; unique = unique list[i] SUBSEP }
  return unique
}

END {
  printf "" >findings
  for (i = 1; i <= rules; i++) {
    name = rule[i]
    count = split(all(name), list, SUBSEP)
    for (j = 1; j < count; j++) {
      key = name SUBSEP list[j]
      subject = figure[name] SUBSEP list[j]
      wrong = (subject in value) && \
        (direction[name] == "above" ? value[subject] > limit[name] : value[subject] < limit[name])
      if (wrong) {
        if (since[key] == "") { since[key] = now; told[key] = 0 }
        right[key] = "-"
        said[key] = put(put(words[name], "{label}", list[j]), "{value}", readable(figure[name], value[subject]))
        if (now - since[key] >= lasts[name]) told[key] = 1
      } else if (!(subject in value) && (stale || subject in held)) {
        if (since[key] == "") continue
      } else if (told[key] == 1) {
        if (right[key] == "-") right[key] = now
        if (now - right[key] >= settles) continue
      } else continue
      printf "%s\t%s\t%s\t%s\t%s\t%s\n", name, list[j], since[key], told[key], right[key], said[key]
      if (told[key] == 1 && !(subject in covered)) {
        covered[subject]
        printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", severity[name], name, list[j], said[key], remedy[name], page[name], \
          figure[name] >findings
      }
    }
  }
}
