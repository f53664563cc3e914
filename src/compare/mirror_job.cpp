#include "mirror_job.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <set>

#include "reading.hpp"

namespace filetree::compare {
namespace {

TreeOptions listing_options(const CompareOptions& options) {
    TreeOptions out;
    out.files.max_workers = options.max_workers;
    return out;
}

// Or is itself what could not be read.
bool is_in_what_failed(const std::string& name, const std::map<std::string, std::string>& errors) {
    for (std::size_t end = name.find('/'); end != std::string::npos;
         end = name.find('/', end + 1)) {
        if (errors.contains(name.substr(0, end))) return true;
    }
    return errors.contains(name);
}

}  // namespace

MirrorJob::MirrorJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client,
                     std::string top, std::vector<std::pair<std::string, SourceRef>> urls,
                     const CompareOptions& options)
    : fs_(std::move(fs)),
      client_(std::move(client)),
      top_(std::move(top)),
      options_(options),
      most_at_once_(options.max_workers != 0 ? options.max_workers : most_fetched_at_once),
      listing_(std::make_shared<TreeJob>(fs_, top_, std::string(), listing_options(options))),
      ready_(urls.size()) {
    if (options.max_workers != 0) limit_ = options.max_workers;
    entries_.reserve(urls.size());
    for (auto& pair : urls) {
        entries_.emplace_back(std::move(pair.first), std::move(pair.second));
    }
}

bool MirrorJob::may_begin() const { return next_ < entries_.size() && under_way_ < most_at_once_; }

Job::Piece MirrorJob::take() {
    std::size_t index = 0;
    if (!ready_.empty()) {
        index = ready_.take();
    } else if (may_begin()) {
        index = next_++;
        ++under_way_;
        ready_.begin(index);
    } else if (std::exchange(told_, false)) {
        return [] {};  // that it may end
    } else {
        return {};
    }
    return [this, index] { go_on(index); };
}

bool MirrorJob::has_more() const { return !ready_.empty() || may_begin() || told_; }

void MirrorJob::go_on(std::size_t index) {
    bool more = false;
    const bool done = compare(index, more);
    std::unique_ptr<StreamPair> ending;  // destroyed without the lock
    const std::lock_guard lock(mutex_);
    if (done) {
        ending = std::move(entries_[index].pair);
        --under_way_;
        return ready_.finish(index);
    }
    ready_.leave(index, more);
}

bool MirrorJob::compare(std::size_t index, bool& more) {
    Entry& entry = entries_[index];
    try {
        if (!entry.pair) {
            entry.pair =
                std::make_unique<StreamPair>(*fs_, *client_, path_of(entry), entry.url, options_,
                                             waker([this, index] { ready_.wake(index); }));
        }
        const StreamStep step = entry.pair->go_on(stop_flag());
        more = step == StreamStep::more;
        if (step != StreamStep::done) return false;
        entry.reason = reason_of(entry.pair->difference());
    } catch (const CompareError& error) {
        if (error.failure() == CompareFailure::cancelled) throw;
        if (shortage_.is_worth_another_try(error.error())) {
            entry.pair.reset();
            more = true;
            return false;
        }
        if (error.path() != path_of(entry)) {
            entry.reason = DiffReason::read_error;
        } else if (error.failure() == CompareFailure::not_found) {
            entry.missing = true;
        } else if (error.error() == EISDIR) {
            entry.reason = DiffReason::type_mismatch;
        } else {
            entry.error = error.what();
        }
    }
    return true;
}

std::string MirrorJob::path_of(const Entry& entry) const { return top_ + "/" + entry.name; }

void MirrorJob::listed() {
    {
        const std::lock_guard lock(mutex_);
        listed_ = told_ = true;
    }
    wake();
}

void MirrorJob::conclude() {
    if (const auto failure = listing_->failure()) std::rethrow_exception(failure);
    const Differences& here = listing_->differences();
    std::set<std::string> only_here(here.only_left.begin(), here.only_left.end());
    std::map<std::string, std::string> errors(here.errors.begin(), here.errors.end());
    for (const Entry& entry : entries_) {
        only_here.erase(entry.name);
        if (is_in_what_failed(entry.name, errors)) continue;
        if (entry.missing) found_.only_right.push_back(entry.name);
        if (entry.error) errors.emplace(entry.name, *entry.error);
        if (entry.reason) found_.diff.emplace_back(entry.name, *entry.reason);
    }
    found_.errors.assign(errors.begin(), errors.end());
    std::move(only_here.begin(), only_here.end(), std::back_inserter(found_.only_left));
}

void MirrorJob::release() noexcept {
    listing_->cancel();
    for (Entry& entry : entries_) entry.pair.reset();
}

}  // namespace filetree::compare
