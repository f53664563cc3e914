#include "archive_pair.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libarchive.hpp"
#include "open_source.hpp"

namespace filetree::compare {
namespace {

using Kind = ArchiveEntry::Kind;

// What one thread decompresses before it looks what else there is to do.
constexpr std::uint64_t piece_size = std::uint64_t{2} << 20U;

// Of two parts the first `length` bytes; a part is zeros or bytes.
bool same(const ContentBlock& a, const ContentBlock& b, std::size_t length) {
    const auto is_zero = [length](std::span<const char> bytes) {
        return std::ranges::all_of(bytes.first(length), [](char byte) { return byte == 0; });
    };
    if (a.zeros > 0) return b.zeros > 0 || is_zero(b.bytes);
    if (b.zeros > 0) return is_zero(a.bytes);
    return std::memcmp(a.bytes.data(), b.bytes.data(), length) == 0;
}

std::uint64_t length_of(const ContentBlock& part) {
    return part.zeros > 0 ? part.zeros : part.bytes.size();
}

std::optional<DiffReason> difference(const ArchiveContents::File& a,
                                     const ArchiveContents::File& b) {
    if (a.size != b.size) return DiffReason::size_mismatch;
    if (a.tag != b.tag) return DiffReason::content_mismatch;
    return {};
}

}  // namespace

ArchivePairJob::ArchivePairJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client,
                               SourceRef a, SourceRef b, const ArchiveOptions& options)
    : fs_(std::move(fs)),
      client_(std::move(client)),
      refs_{std::move(a), std::move(b)},
      options_(options) {}

Job::Piece ArchivePairJob::take() {
    if (phase_ == Phase::apart) {
        for (const unsigned side : {0U, 1U}) {
            if (busy_[side] || done_[side]) continue;
            busy_[side] = true;
            return [this, side] { go_apart(side); };
        }
        return {};
    }
    if (phase_ == Phase::ended || busy_[0]) return {};
    busy_[0] = busy_[1] = true;
    switch (phase_) {
        case Phase::closed:
            return [this] { open(); };
        case Phase::in_step:
            return [this] { go_in_step(); };
        case Phase::settling:
            return [this] { settle(); };
        default:
            return [this] { begin_again(); };
    }
}

bool ArchivePairJob::has_more() const {
    if (phase_ == Phase::ended) return false;
    return !(busy_[0] || done_[0]) || !(busy_[1] || done_[1]);
}

void ArchivePairJob::proceed(Phase next) {
    const std::lock_guard lock(mutex_);
    phase_ = next;
    busy_[0] = busy_[1] = false;
    done_[0] = false;
    done_[1] = same_file_;
}

void ArchivePairJob::open() {
    try {
        const auto is_unwanted = [this] { return stopping(); };
        for (const unsigned side : {0U, 1U}) {
            sides_[side] = std::make_unique<ArchiveSide>(
                open_source(*fs_, client_, refs_[side], is_unwanted), options_, is_unwanted, key_);
        }
    } catch (const CompareError& error) {
        sides_[0].reset();
        if (!shortage_.is_worth_another_try(error.error())) throw;
        return proceed(Phase::closed);
    }
    same_file_ = are_same_file(left().source(), right().source());
    proceed(options_.hash_compare || same_file_ ? Phase::apart : Phase::in_step);
}

void ArchivePairJob::go_in_step() {
    Allowance allowance(piece_size);
    while (!allowance.spent()) {
        (void)left().advance(allowance);
        (void)right().advance(allowance);
        const bool there =
            (left().at_entry() || left().ended()) && (right().at_entry() || right().ended());
        if (!there) continue;
        if (left().ended() && right().ended()) return proceed(Phase::settling);
        if (!is_in_step()) return proceed(Phase::apart);
        const ArchiveEntry& entry = left().entry();
        if (entry.kind == Kind::hard_link) {
            compared_[entry.name] = compared_.at(entry.target);
        } else if (!compare_content(allowance)) {
            continue;
        }
        left().leave();
        right().leave();
    }
    proceed(Phase::in_step);
}

bool ArchivePairJob::is_in_step() const {
    if (!sides_[0]->at_entry() || !sides_[1]->at_entry()) return false;
    const ArchiveEntry& a = sides_[0]->entry();
    const ArchiveEntry& b = sides_[1]->entry();
    if (a.kind != b.kind || a.name != b.name || a.target != b.target || a.inode || b.inode) {
        return false;
    }
    return a.kind != Kind::hard_link || compared_.contains(a.target);
}

bool ArchivePairJob::compare_content(Allowance& allowance) {
    ContentBlock a;
    ContentBlock b;
    while (!allowance.spent()) {
        const bool more_a = left().look(a, allowance);
        const bool more_b = right().look(b, allowance);
        if (!more_a && !more_b) {
            std::optional<DiffReason> reason;
            if (content_differs_) reason = DiffReason::content_mismatch;
            if (left().used() != right().used()) reason = DiffReason::size_mismatch;
            compared_[left().entry().name] = reason;
            content_differs_ = false;
            return true;
        }
        // What one of them has more is read all the same: it may be corrupt.
        const std::uint64_t length =
            std::min(more_a ? length_of(a) : length_of(b), more_b ? length_of(b) : length_of(a));
        if (more_a && more_b && !content_differs_) {
            content_differs_ = !same(a, b, static_cast<std::size_t>(length));
        }
        if (more_a) left().use(length);
        if (more_b) right().use(length);
    }
    return false;
}

void ArchivePairJob::go_apart(unsigned side) {
    ArchiveSide& mine = *sides_[side];
    Allowance allowance(piece_size);
    while (!allowance.spent() && !mine.ended() && !once_more_) {
        if (!mine.advance(allowance)) continue;
        if (mine.entry().kind == Kind::file) {
            if (!mine.hash(allowance)) continue;
        } else if (!mine.resolve()) {
            const ArchiveEntry& link = mine.entry();
            if (!compared_.contains(link.target)) {
                fail_archive(mine.source(), "the hard link " + link.name + " is to " + link.target +
                                                ", which is not before it in the archive");
            }
            once_more_ = true;
        }
        mine.leave();
    }
    const std::lock_guard lock(mutex_);
    busy_[side] = false;
    done_[side] = mine.ended() || once_more_;
    if (!done_[0] || !done_[1]) return;
    phase_ = Phase::settling;
    done_[0] = done_[1] = false;
}

void ArchivePairJob::settle() {
    const auto says_more = [this](const std::unique_ptr<ArchiveSide>& side) {
        return std::any_of(compared_.begin(), compared_.end(),
                           [&](const auto& pair) { return side->contents().contains(pair.first); });
    };
    const bool again = once_more_ || says_more(sides_[0]) || says_more(sides_[1]);
    proceed(again ? Phase::again : Phase::ended);
}

void ArchivePairJob::begin_again() {
    compared_.clear();
    once_more_ = false;
    left().begin();
    right().begin();
    proceed(Phase::apart);
}

void ArchivePairJob::conclude() {
    left().source().check_unchanged();
    right().source().check_unchanged();
    for (const auto& [name, reason] : compared_) {
        if (reason) differences_.diff.emplace_back(name, *reason);
    }
    std::set<std::string> skipped = left().skipped();
    if (!same_file_) {
        const ArchiveContents& a = left().contents();
        const ArchiveContents& b = right().contents();
        a.for_each_file([&](const std::string& name, const ArchiveContents::File& file) {
            const ArchiveContents::File* const other = b.find(name);
            if (other == nullptr) {
                differences_.only_left.push_back(name);
            } else if (const auto reason = difference(file, *other)) {
                differences_.diff.emplace_back(name, *reason);
            }
        });
        b.for_each_file([&](const std::string& name, const ArchiveContents::File& /*file*/) {
            if (a.find(name) == nullptr) differences_.only_right.push_back(name);
        });
        skipped.insert(right().skipped().begin(), right().skipped().end());
    }
    differences_.skipped.assign(skipped.begin(), skipped.end());
}

void ArchivePairJob::release() noexcept {
    for (auto& side : sides_) side.reset();
}

}  // namespace filetree::compare
