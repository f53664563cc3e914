#include "archive_side.hpp"

#include <algorithm>
#include <utility>

#include "shortage.hpp"

namespace filetree::compare {

using Kind = ArchiveEntry::Kind;

void Allowance::take(std::uint64_t bytes) noexcept {
    constexpr std::uint64_t price_of_call = std::uint64_t{1} << 10U;
    left_ -= std::min(left_, price_of_call + bytes);
}

ArchiveSide::ArchiveSide(std::unique_ptr<Source> source, const ArchiveOptions& options,
                         std::function<bool()> stopping, const HashKey& key)
    : source_(std::move(source)), options_(options), stopping_(std::move(stopping)), hash_(key) {
    begin();
}

void ArchiveSide::begin() {
    reader_.emplace(*source_, options_, stopping_);
    contents_ = {};
    skipped_.clear();
    (void)hash_.finish();  // of what was left half-read
    passing_ = at_entry_ = ended_ = false;
}

bool ArchiveSide::advance(Allowance& allowance) {
    Shortage::progressed();
    while (!at_entry_ && !ended_ && !allowance.spent()) {
        if (passing_) {
            passing_ = reader_->read(block_);
            allowance.take(block_.bytes.size());
            continue;
        }
        block_ = {};
        used_ = 0;
        allowance.take(0);
        if (!reader_->next(entry_)) {
            ended_ = true;
        } else if (entry_.kind == Kind::file || entry_.kind == Kind::hard_link) {
            at_entry_ = true;
        } else {
            passing_ = true;
            if (entry_.kind == Kind::skipped) {
                contents_.add_skipped(entry_.name);
                skipped_.insert(entry_.name);
            }
        }
    }
    return at_entry_;
}

bool ArchiveSide::look(ContentBlock& part, Allowance& allowance) {
    while (block_.zeros == 0 && block_.bytes.empty()) {
        if (!reader_->read(block_)) return false;
        allowance.take(block_.bytes.size());
    }
    part = block_;
    if (part.zeros > 0) part.bytes = {};
    return true;
}

void ArchiveSide::use(std::uint64_t length) {
    used_ += length;
    if (block_.zeros > 0) {
        block_.zeros -= length;
    } else {
        block_.bytes = block_.bytes.subspan(static_cast<std::size_t>(length));
    }
}

bool ArchiveSide::hash(Allowance& allowance) {
    // Zeros may be many more than what is to be done in one piece.
    constexpr std::uint64_t most_zeros = std::uint64_t{1} << 20U;
    ContentBlock part;
    while (!allowance.spent()) {
        if (!look(part, allowance)) {
            contents_.add_file(entry_, used_, hash_.finish());
            return true;
        }
        const std::uint64_t zeros = std::min(part.zeros, most_zeros);
        if (zeros > 0) allowance.take(zeros);
        hash_.add_zeros(zeros);
        hash_.add(part.bytes);
        use(zeros + part.bytes.size());
    }
    return false;
}

bool ArchiveSide::resolve() {
    if (!contents_.add_link(entry_)) return false;
    if (contents_.find(entry_.name) == nullptr) skipped_.insert(entry_.name);
    return true;
}

void ArchiveSide::leave() noexcept {
    at_entry_ = false;
    passing_ = true;  // a link may have something that is to be read past
}

}  // namespace filetree::compare
