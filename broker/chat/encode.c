/* Appends cannot fail but for the maximum, which the caller asks for at the end. */
#include "broker/chat/encode.h"

#define ADD(text) (void)buf_add(out, SLICE(text))

void encode_text(struct buf *out, struct slice text)
{
	if (text.p == NULL)
		ADD("null");
	else
		(void)buf_json_str(out, text);
}

void encode_number(struct buf *out, uint64_t n)
{
	if (n == 0)
		ADD("null");
	else
		(void)buf_u64(out, n);
}

void encode_time(struct buf *out, wall_us_t at)
{
	if (at == 0) {
		ADD("null");
		return;
	}
	(void)buf_addc(out, '"');
	(void)clock_rfc3339(out, at);
	(void)buf_addc(out, '"');
}

/* Leading zeros are no number of JSON. */
static bool is_integer(struct slice id)
{
	unsigned long long n;

	return slice_to_u64(id, &n) && (id.n == 1 || id.p[0] != '0');
}

void encode_user_id(struct buf *out, bool integers, struct slice id)
{
	if (id.n == 0)
		ADD("null");
	else if (integers && is_integer(id))
		(void)buf_add(out, id);
	else
		(void)buf_json_str(out, id);
}

void encode_user(struct buf *out, bool integers, struct slice id, struct slice name)
{
	ADD("{\"id\":");
	encode_user_id(out, integers, id);
	ADD(",\"name\":");
	encode_text(out, name);
	ADD("}");
}

void encode_person(struct buf *out, bool integers, const struct person *p, bool open)
{
	ADD("{\"id\":");
	encode_user_id(out, integers, p->id);
	ADD(",\"name\":");
	encode_text(out, p->name);
	ADD(",\"is_online\":");
	(void)buf_add(out, p->is_online ? SLICE("true") : SLICE("false"));
	ADD(",\"last_seen_at\":");
	encode_time(out, p->last_seen);
	if (!open)
		ADD("}");
}

void encode_message(struct buf *out, bool integers, const struct chat_message_row *m)
{
	ADD("{\"id\":");
	(void)buf_u64(out, m->id);
	ADD(",\"chat_id\":");
	(void)buf_u64(out, m->chat);
	ADD(",\"seq\":");
	(void)buf_u64(out, m->seq);
	ADD(",\"prev_seq\":");
	(void)buf_u64(out, m->prev_seq);
	ADD(",\"user\":");
	encode_user(out, integers, m->sender_id, m->sender_name);
	ADD(",\"body\":");
	(void)buf_json_str(out, m->body);
	ADD(",\"reply_to\":");
	encode_number(out, m->reply_to);
	ADD(",\"meta\":");
	(void)buf_add(out, m->meta.n > 0 ? m->meta : SLICE("null"));
	ADD(",\"client_id\":");
	encode_text(out, m->client_id);
	ADD(",\"created_at\":");
	encode_time(out, m->created_at);
	ADD(",\"edited_at\":");
	encode_time(out, m->edited_at);
	ADD(",\"deleted_at\":");
	encode_time(out, m->deleted_at);
	ADD("}");
}

void encode_chat_head(struct buf *out, bool integers, const struct chat_row *c)
{
	ADD("{\"id\":");
	(void)buf_u64(out, c->chat);
	ADD(",\"name\":");
	encode_text(out, c->name);
	ADD(",\"direct\":");
	(void)buf_add(out, c->direct ? SLICE("true") : SLICE("false"));
	ADD(",\"channel\":\"private-chat.");
	(void)buf_u64(out, c->chat);
	ADD("\",\"presence_channel\":\"presence-chat.");
	(void)buf_u64(out, c->chat);
	ADD("\",\"owner_id\":");
	encode_user_id(out, integers, c->direct ? SLICE_NONE : c->owner_id);
	ADD(",\"participants\":[");
}

void encode_chat_tail(struct buf *out, bool integers, const struct chat_row *c)
{
	ADD("],\"participant_count\":");
	(void)buf_u64(out, c->participant_count);
	ADD(",\"last_message\":");
	if (c->has_last)
		encode_message(out, integers, &c->last);
	else
		ADD("null");
	ADD(",\"last_seq\":");
	(void)buf_u64(out, c->last_seq);
	ADD(",\"unread_count\":");
	(void)buf_u64(out, c->unread);
	ADD(",\"read_seq\":");
	(void)buf_u64(out, c->read_seq);
	ADD(",\"delivered_seq\":");
	(void)buf_u64(out, c->delivered_seq);
	ADD(",\"updated_at\":");
	encode_time(out, c->updated_at);
	ADD("}");
}
