# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# vfs-compare.awk - vfs-known, the answers of ext4, those of vmemfs: TAP
#
# With newer=1 ext4 is that of another kernel, and may answer as vmemfs does.
# Answers are "QUESTION: ANSWER", and a line "# TOPIC" stands before those of a topic.

function split_line() {
	at = index($0, ": ")
	question = substr($0, 1, at - 1)
	answer = substr($0, at + 2)
}

function say(good, text) {
	printf "%s %d - %s: %s\n", good ? "ok" : "not ok", ++count, name, text
}

function end_topic() {
	if (topic != "")
		say(1, same " answers about " topic " are those of ext4")
	same = 0
}

FNR == 1 { file++ }
file == 1 && (/^#/ || /^$/) { next }
file > 1 && /^# / {
	if (file == 3) {
		end_topic()
		topic = substr($0, 3)
	}
	next
}
{ split_line() }
file == 1 { known[question] = answer }
file == 2 { expected[question] = answer }
file == 3 {
	seen[question] = 1
	if (!(question in expected))
		say(0, question ": ext4 was not asked")
	else if (answer == expected[question] && (newer || !(question in known)))
		same++
	else if (question in known && answer == known[question] && answer != expected[question])
		say(1, question ": " answer ", as documented (ext4: " expected[question] ")")
	else
		say(0, question ": " answer " (ext4: " expected[question] \
		       (question in known ? ", documented: " known[question] : "") ")")
}
END {
	if (file == 3)
		end_topic()
	for (question in expected)
		if (!(question in seen))
			say(0, question ": not answered")
	for (question in known)
		if (!(question in expected))
			say(0, question ": documented, but never asked")
}
