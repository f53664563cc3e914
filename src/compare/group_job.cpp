#include "group_job.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "reading.hpp"

namespace filetree::compare {
namespace {

// In how many places at once is read, however slow the storage is.
constexpr unsigned most_group_helpers = 16;
// Small files of one piece.
constexpr std::size_t batch_size = 16;

// Buffers stay with the thread: it needs them again at once.
std::vector<char>& buffer(std::size_t size) {
    thread_local std::vector<char> mine;
    if (mine.size() < size) mine.resize(size);
    return mine;
}

}  // namespace

GroupJob::GroupJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client,
                   std::vector<SourceRef> sources, const CompareOptions& options, bool only_whether)
    : fs_(std::move(fs)),
      client_(std::move(client)),
      options_(options),
      only_whether_(only_whether),
      ready_(sources.size()) {
    limit_ = options.max_workers != 0 ? options.max_workers : most_group_helpers;
    members_.reserve(sources.size());
    for (SourceRef& source : sources) members_.emplace_back(std::move(source));
    for (std::size_t i = members_.size(); i-- > 0;) ranges_.push_back({i, 0, 0});
}

// Several small ranges are one piece.
Job::Piece GroupJob::take() {
    if (!ready_.empty()) {
        return [this, index = ready_.take()] { go_on(index); };
    }
    if (ranges_.empty()) return {};
    std::vector<Range> piece;
    std::uint64_t bytes = 0;
    while (!ranges_.empty() && piece.size() < batch_size && bytes < range_size) {
        piece.push_back(ranges_.back());
        ranges_.pop_back();
        bytes += piece.back().last - piece.back().first;
    }
    ++under_way_;
    return [this, piece = std::move(piece)] {
        run(piece);
        const std::lock_guard lock(mutex_);
        if (--under_way_ == 0 && ranges_.empty() && !stopping()) advance();
    };
}

void GroupJob::run(const std::vector<Range>& piece) {
    auto next = piece.begin();
    try {
        for (; next != piece.end() && !stopping(); ++next) {
            run(*next);
            Shortage::progressed();
        }
    } catch (const CompareError& error) {
        if (!shortage_.is_worth_another_try(error.error())) throw;
        const std::lock_guard lock(mutex_);
        ranges_.insert(ranges_.end(), next, piece.end());
    }
}

bool GroupJob::has_more() const { return !ranges_.empty() || !ready_.empty(); }

void GroupJob::advance() {
    while (!stopping() && ranges_.empty() && fetching_ == 0 && step_ != Step::done) {
        switch (step_) {
            case Step::opening:
                step_ = Step::fetching;
                begin_fetching();
                break;
            case Step::fetching:
                step_ = Step::sampling;
                plan_samples();
                break;
            case Step::sampling:
                step_ = Step::reading;
                plan_reading();
                break;
            case Step::reading:
            case Step::done:
                step_ = Step::done;
                break;
        }
    }
}

void GroupJob::begin_fetching() {
    for (const Member& member : members_) {
        if (member.size) expect_size(*member.size);
    }
    const std::size_t most =
        options_.max_workers != 0 ? options_.max_workers : most_fetched_at_once;
    while (fetching_ < most && begin_next()) ++fetching_;
}

bool GroupJob::begin_next() {
    while (next_url_ < members_.size() && !members_[next_url_].ref.http) ++next_url_;
    if (next_url_ == members_.size() || stopping()) return false;
    begin(next_url_);
    ready_.wake(next_url_++);
    return true;
}

void GroupJob::plan_samples() {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> inodes;
    std::set<std::uint64_t> fetched;  // sizes of URLs, which have no samples to compare with
    for (std::size_t i = 0; i < members_.size(); ++i) {
        Member& member = members_[i];
        if (member.ref.http) {
            member.same_as = i;
            fetched.insert(*member.size);
            continue;
        }
        member.same_as =
            inodes.try_emplace({member.seen.device, member.seen.inode}, i).first->second;
    }
    if (only_whether_ && must_differ()) return differs();
    if (!options_.quick_check) return;
    for (const std::size_t i : doubtful()) {
        const std::uint64_t size = members_[i].size.value_or(0);
        if (size >= sampled_size && !fetched.contains(size)) ranges_.push_back({i, 0, 0});
    }
}

void GroupJob::plan_reading() {
    if (only_whether_ && must_differ()) return differs();
    for (const std::size_t i : doubtful()) {
        Member& member = members_[i];
        if (std::exchange(member.was_read, true)) continue;  // a URL
        const std::uint64_t size = member.size.value_or(0);
        member.content.resize((size + range_size - 1) / range_size);
        if (!member.size) ranges_.push_back({i, 0, 0});
        for (std::uint64_t first = 0; first < size; first += range_size) {
            ranges_.push_back({i, first, std::min(size, first + range_size)});
        }
    }
    // The same place of all files at about the same time: the first difference comes early.
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& left, const Range& right) {
        return std::tie(right.first, right.member) < std::tie(left.first, left.member);
    });
}

GroupJob::Kinds GroupJob::kinds() const {
    Kinds kinds;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const Member& member = members_[i];
        if (member.same_as != i) continue;
        const bool known = member.size && options_.size_precheck;
        (known ? kinds.known[{*member.size, member.sampled}] : kinds.unknown).push_back(i);
    }
    return kinds;
}

bool GroupJob::must_differ() const { return kinds().known.size() > 1; }

std::vector<std::size_t> GroupJob::doubtful() const {
    const Kinds found = kinds();
    std::vector<std::size_t> doubtful;
    // One without a known size may be the same as any.
    for (const auto& [known, members] : found.known) {
        if (members.size() > 1 || !found.unknown.empty()) {
            doubtful.insert(doubtful.end(), members.begin(), members.end());
        }
    }
    if (found.known.size() + found.unknown.size() > 1) {
        doubtful.insert(doubtful.end(), found.unknown.begin(), found.unknown.end());
    }
    return doubtful;
}

void GroupJob::run(const Range& range) {
    Member& member = members_[range.member];
    switch (step_) {
        case Step::opening:
            return open(member);
        case Step::fetching:
            return;
        case Step::sampling:
            return sample(member);
        case Step::reading:
            return member.size ? read(range) : read_to_the_end(member);
        case Step::done:
            return;
    }
}

void GroupJob::open(Member& member) {
    if (member.ref.http) return;
    FileSource file(*fs_, member.ref.name);
    member.seen = file.seen();
    member.size = file.size();
    // An empty file must not pass for one that may be the same as any.
    char first = 0;
    if (!member.size && file.read_at(0, {&first, 1}) == 0) member.size = 0;
}

std::unique_ptr<FileSource> GroupJob::reopen(const Member& member) const {
    auto file = std::make_unique<FileSource>(*fs_, member.ref.name);
    file->expect(member.seen);
    return file;
}

void GroupJob::sample(Member& member) {
    const auto file = reopen(member);
    std::uint64_t length = 0;
    for (const std::uint64_t quarter : {0, 1, 2, 3, 4}) {
        const std::uint64_t place =
            std::min(*member.size / 4 * quarter, *member.size - sample_size);
        member.sampled.push_back(hash(*file, place, place + sample_size, length));
    }
    file->check_unchanged();
}

void GroupJob::read(const Range& range) {
    Member& member = members_[range.member];
    const auto file = reopen(member);
    std::uint64_t length = 0;
    ContentHash::Tag& tag = member.content[range.first / range_size];
    tag = hash(*file, range.first, range.last, length);
    file->check_unchanged();
    if (only_whether_ && !stopping()) expect(range.first, tag);
}

void GroupJob::expect(std::uint64_t place, const ContentHash::Tag& tag) {
    const std::lock_guard lock(mutex_);
    const ContentHash::Tag& expected = expected_.try_emplace(place, tag).first->second;
    if (tag != expected) differs();
}

void GroupJob::read_to_the_end(Member& member) {
    const auto file = reopen(member);
    std::uint64_t length = range_size;
    for (std::uint64_t first = 0; length == range_size && !stopping(); first += range_size) {
        const ContentHash::Tag tag = hash(*file, first, first + range_size, length);
        if (length > 0) member.content.push_back(tag);
        member.length += length;
    }
    file->check_unchanged();
}

void GroupJob::begin(std::size_t index) {
    members_[index].url =
        std::make_unique<UrlDigest>(*client_, members_[index].ref, key_, range_size,
                                    waker([this, index] { ready_.wake(index); }));
}

void GroupJob::go_on(std::size_t index) {
    Member& member = members_[index];
    StreamStep step = StreamStep::more;
    const std::uint64_t before = member.url->length();
    try {
        step = member.url->go_on(stop_flag(), [this](std::uint64_t place, const auto& tag) {
            if (only_whether_) expect(place, tag);
        });
        bytes_read_.fetch_add(member.url->length() - before, std::memory_order_relaxed);
    } catch (const CompareError& error) {
        if (!shortage_.is_worth_another_try(error.error())) throw;
        begin(index);
    }
    const std::lock_guard lock(mutex_);
    if (const auto size = member.url->size()) expect_size(*size);
    if (step != StreamStep::done) return ready_.leave(index, step == StreamStep::more);
    ready_.finish(index);
    fetched(member);
}

void GroupJob::fetched(Member& member) {
    member.was_read = true;
    member.size = member.url->length();
    member.content = member.url->take_tags();
    expect_size(*member.size);
    member.url.reset();
    if (begin_next()) return;
    if (--fetching_ == 0 && !stopping()) advance();
}

void GroupJob::expect_size(std::uint64_t size) {
    if (!only_whether_ || !options_.size_precheck) return;
    if (expected_size_.value_or(size) != size) differs();
    expected_size_ = size;
}

ContentHash::Tag GroupJob::hash(FileSource& file, std::uint64_t first, std::uint64_t last,
                                std::uint64_t& length) {
    const std::size_t chunk =
        options_.chunk_size != 0 ? std::min(options_.chunk_size, most_chunk) : usual_chunk;
    std::vector<char>& bytes = buffer(chunk);
    ContentHash content(key_);
    length = 0;
    while (first < last && !stopping()) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(chunk, last - first));
        const std::size_t got = file.read_at(first, {bytes.data(), wanted});
        bytes_read_.fetch_add(got, std::memory_order_relaxed);
        content.add({bytes.data(), got});
        length += got;
        first += got;
        if (got < wanted) break;
    }
    return content.finish();
}

void GroupJob::differs() noexcept {
    different_.store(true);
    stop();
}

void GroupJob::release() noexcept {
    for (Member& member : members_) member.url.reset();
}

void GroupJob::conclude() {
    if (different_.load()) return;
    // What has not been read is alone with its size and its samples.
    using Content = std::tuple<std::uint64_t, Tags, Tags>;
    std::map<Content, std::size_t> contents;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const Member& member = members_[i];
        if (member.same_as != i) {
            groups_.push_back(groups_[member.same_as]);
            continue;
        }
        const Content content{member.size.value_or(member.length),
                              member.was_read ? Tags{} : member.sampled, member.content};
        groups_.push_back(contents.try_emplace(content, contents.size()).first->second);
    }
    different_.store(contents.size() > 1);
}

}  // namespace filetree::compare
