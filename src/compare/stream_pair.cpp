#include "stream_pair.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "reading.hpp"
#include "shortage.hpp"

namespace filetree::compare {
namespace {

// Many pairs are under way at once, each with buffers of its own.
constexpr std::size_t most_streamed_chunk = std::size_t{1} << 20U;
// What is compared before others have their turn.
constexpr std::uint64_t piece_size = std::uint64_t{4} << 20U;
// From this size on a few requests more cost little beside the transfer.
constexpr std::uint64_t sampled_stream_size = std::uint64_t{16} << 20U;

}  // namespace

StreamSide::StreamSide(FileSystem& fs, HttpClient& client, const SourceRef& source,
                       std::size_t chunk, const std::function<void()>& on_change)
    : fs_(fs) {
    if (source.http) {
        url_.emplace(client, source, std::nullopt, on_change);
        return;
    }
    path_ = source.name;
    const FileSource file(fs_, path_);
    seen_ = file.seen();
    size_ = file.size();
    chunk_ = static_cast<std::size_t>(std::min<std::uint64_t>(chunk, size_.value_or(chunk)));
}

std::optional<std::uint64_t> StreamSide::size() const noexcept {
    return url_ ? url_->head()->length : size_;
}

FileSource& StreamSide::file() {
    if (!file_) {
        auto file = std::make_unique<FileSource>(fs_, path_);
        file->expect(seen_);
        file_ = std::move(file);
    }
    return *file_;
}

bool StreamSide::look() {
    if (url_) return url_->look();
    if (at_end_) return false;
    if (position_ < buffer_.size()) return true;
    buffer_.resize(chunk_);
    const std::size_t got = file().read_at(offset_, buffer_);
    buffer_.resize(got);
    position_ = 0;
    offset_ += got;
    at_end_ = got == 0;
    return true;
}

std::span<const char> StreamSide::bytes() const noexcept {
    return url_ ? url_->bytes() : std::span<const char>(buffer_).subspan(position_);
}

void StreamSide::take(std::size_t count) noexcept {
    if (url_) {
        url_->take(count);
    } else {
        position_ += count;
    }
}

bool StreamSide::ended() const noexcept { return url_ ? url_->ended() : at_end_; }

void StreamSide::check_unchanged() {
    if (!url_) file().check_unchanged();
}

StreamPair::StreamPair(FileSystem& fs, HttpClient& client, const SourceRef& a, const SourceRef& b,
                       const CompareOptions& options, std::function<void()> on_change)
    : client_(client), sources_{a, b}, options_(options), on_change_(std::move(on_change)) {
    const std::size_t chunk =
        options.chunk_size != 0 ? std::min(options.chunk_size, most_streamed_chunk) : usual_chunk;
    // Files first: nothing is asked of a server for the sake of one that is not there.
    for (const bool urls : {false, true}) {
        for (const unsigned i : {0U, 1U}) {
            if ((sources_[i].http != nullptr) != urls) continue;
            sides_[i] = std::make_unique<StreamSide>(fs, client, sources_[i], chunk, on_change_);
        }
    }
}

StreamStep StreamPair::go_on(const std::atomic<bool>& stop) {
    std::uint64_t compared = 0;
    while (!stop) {
        bool news = false;
        for (const auto& side : sides_) {
            const bool needed = side->bytes().empty() && (side->url() != nullptr || judged_);
            if (needed && !side->ended()) news = side->look() || news;
        }
        if (!judged_ && sides_[0]->is_known() && sides_[1]->is_known()) {
            judge();
            news = true;
        }
        news = look_at_samples() || news;
        if (difference_ != Difference::none) return conclude();
        if (judged_) {
            const std::uint64_t before = bytes_read_;
            news = compare_what_came() || news;
            compared += bytes_read_ - before;
            const bool ended = sides_[0]->ended() && sides_[1]->ended();
            if (ended || difference_ != Difference::none) return conclude();
        }
        if (!news) return StreamStep::waits;
        if (compared >= piece_size) return StreamStep::more;
    }
    return StreamStep::more;
}

// What has changed meanwhile is no answer.
StreamStep StreamPair::conclude() {
    for (const auto& side : sides_) side->check_unchanged();
    return StreamStep::done;
}

void StreamPair::judge() {
    judged_ = true;
    const auto a = sides_[0]->size();
    const auto b = sides_[1]->size();
    if (!a || !b) return;
    if (*a != *b) {
        if (options_.size_precheck) difference_ = Difference::size;
        return;
    }
    if (options_.quick_check && *a >= sampled_stream_size) begin_samples(*a);
}

bool StreamPair::compare_what_came() {
    const std::span<const char> a = sides_[0]->bytes();
    const std::span<const char> b = sides_[1]->bytes();
    const std::size_t length = std::min(a.size(), b.size());
    if (length > 0) {
        if (std::memcmp(a.data(), b.data(), length) != 0) difference_ = Difference::content;
        bytes_read_ += 2 * length;
        Shortage::progressed();
        for (const auto& side : sides_) side->take(length);
        return true;
    }
    // The shorter one is at its end, and the other one is not.
    if ((sides_[0]->ended() && !b.empty()) || (sides_[1]->ended() && !a.empty())) {
        difference_ = Difference::size;
    }
    return false;
}

void StreamPair::begin_samples(std::uint64_t size) {
    for (const auto& side : sides_) {
        if (side->url() != nullptr && !side->url()->head()->accepts_ranges) return;
    }
    samples_.reserve(4);
    for (const std::uint64_t offset : {size - sample_size, size / 2, size / 4, size / 4 * 3}) {
        Sample& sample = samples_.emplace_back();
        sample.offset = offset;
        for (const unsigned i : {0U, 1U}) {
            if (!sources_[i].http) continue;
            sample.urls[i].emplace(client_, sources_[i],
                                   HttpRange{offset, offset + sample_size - 1}, on_change_);
        }
    }
}

bool StreamPair::look_at_samples() {
    bool news = false;
    for (Sample& sample : samples_) {
        for (const unsigned i : {0U, 1U}) {
            if (!sample.given_up) news = look_at(sample, i) || news;
        }
        if (!sample.given_up && is_whole(sample, 0) && is_whole(sample, 1)) {
            if (sample.bytes[0] != sample.bytes[1]) difference_ = Difference::content;
            sample.given_up = true;
        }
    }
    std::erase_if(samples_, [](const Sample& sample) { return sample.given_up; });
    return news;
}

bool StreamPair::is_whole(const Sample& sample, unsigned side) const noexcept {
    return sample.bytes[side].size() == sample_size &&
           (!sample.urls[side] || sample.urls[side]->ended());
}

bool StreamPair::look_at(Sample& sample, unsigned side) {
    std::string& bytes = sample.bytes[side];
    if (!sample.urls[side]) {
        if (!bytes.empty()) return false;
        bytes.resize(sample_size);
        bytes.resize(sides_[side]->file().read_at(sample.offset, bytes));
        sample.given_up = bytes.size() < sample_size;  // the whole tells why
        return true;
    }
    UrlStream& url = *sample.urls[side];
    if (url.ended()) return false;
    try {
        if (!url.look()) return false;
    } catch (const CompareError&) {
        if (!url.was_refused()) throw;
        sample.given_up = true;  // the whole is under way
        return true;
    }
    if (url.head() == nullptr) return true;
    if (!url.head()->partial) {  // the server may: this is the whole once more
        sample.given_up = true;
        return true;
    }
    url.expect(*sides_[side]->url()->head());
    bytes.append(url.bytes().data(), url.bytes().size());
    bytes_read_ += url.bytes().size();
    url.take(url.bytes().size());
    return true;
}

}  // namespace filetree::compare
