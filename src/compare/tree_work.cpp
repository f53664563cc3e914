#include "tree_work.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace filetree::compare {
namespace {

// Names of one batch, and bytes after which a thread looks what else there is to do.
constexpr std::size_t batch_size = 64;
constexpr std::uint64_t batch_bytes = std::uint64_t{8} << 20U;
// Of larger files others may read ranges.
constexpr std::uint64_t large = std::uint64_t{8} << 20U;

bool is_device(EntryType type) {
    return type == EntryType::character_device || type == EntryType::block_device;
}

// What is to be compared of a directory, in the order of the names. One that has changed while it
// was read may tell a name twice.
std::vector<std::uint32_t> sorted(const Listing& names, const TreeJob& job) {
    std::vector<std::uint32_t> order;
    order.reserve(names.size());
    for (std::uint32_t i = 0; i < names.size(); ++i) {
        if (!job.ignores(names.name(i))) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&names](std::uint32_t left, std::uint32_t right) {
        return names.name(left) < names.name(right);
    });
    const auto same = [&names](std::uint32_t left, std::uint32_t right) {
        return names.name(left) == names.name(right);
    };
    order.erase(std::unique(order.begin(), order.end(), same), order.end());
    return order;
}

std::vector<Names::Pair> paired(const Listing& names_a, const std::vector<std::uint32_t>& order_a,
                                const Listing& names_b, const std::vector<std::uint32_t>& order_b) {
    std::vector<Names::Pair> pairs;
    pairs.reserve(std::max(order_a.size(), order_b.size()));
    auto a = order_a.begin();
    auto b = order_b.begin();
    while (a != order_a.end() || b != order_b.end()) {
        int order = a == order_a.end() ? 1 : b == order_b.end() ? -1 : 0;
        if (order == 0) order = names_a.name(*a).compare(names_b.name(*b));
        Names::Pair pair;
        if (order <= 0) pair.a = *a++;
        if (order >= 0) pair.b = *b++;
        pairs.push_back(pair);
    }
    return pairs;
}

// Everything; false when it cannot be read to its end. That of a top throws CompareError.
bool read_names(TreeJob& job, const HeldNode& place, Listing& names, CallContext& context) {
    auto directory = place.acquire(context);
    while (!directory.ok() && !context.stop_requested() &&
           job.is_worth_another_try(directory.error)) {
        directory = place.acquire(context);
    }
    Result<bool> more{directory.ok(), directory.error};
    while (more.ok() && more.value) {
        if (context.stop_requested()) return false;
        more = directory.value->read(names, context);
    }
    if (more.ok()) return true;
    if (!place.node()->parent()) fail_at_top(more.error, place.tree().top);
    job.fails(place.path(), std::strerror(more.error));
    return false;
}

// Whether it is of no use to read on: the two are the same, or loop.
bool is_settled(TreeJob& job, const HeldNode& a, const HeldNode& b) {
    if (a && b && is_same(a, b)) return true;
    const std::optional<std::int32_t> loop_a = a ? depth_of_loop(a) : std::nullopt;
    const std::optional<std::int32_t> loop_b = b ? depth_of_loop(b) : std::nullopt;
    if (!loop_a && !loop_b) return false;
    if (loop_a != loop_b) {
        job.fails((a ? a : b).path(), "a symbolic link back to a directory above");
    }
    return true;
}

}  // namespace

Job::Piece Opening::claim(const std::shared_ptr<TreeWork>& self) {
    claimed_ = true;
    return [this, self] {
        if (open()) return;
        {
            const auto guard = job_.lock();
            claimed_ = false;
        }
        job_.push(self);
    };
}

bool Opening::open() {
    CallContext context(job_.stop_flag());
    Result<HeldNode> opened[2];
    Side* const sides[] = {&a_, &b_};
    for (int i = 0; i < 2; ++i) {
        Side& side = *sides[i];
        if (!side.parent) continue;
        opened[i] = side.parent.enter(name_, side.follow, context);
        if (opened[i].ok()) continue;
        if (job_.is_worth_another_try(opened[i].error)) return false;
        job_.fails(side.parent.path_of(name_), std::strerror(opened[i].error));
        return true;
    }
    a_.parent.reset();
    b_.parent.reset();
    compare_directories(job_, std::move(opened[0].value), std::move(opened[1].value), context);
    return true;
}

void compare_directories(TreeJob& job, HeldNode a, HeldNode b, CallContext& context) {
    Shortage::progressed();
    if (is_settled(job, a, b)) return;
    Names::Side left{std::move(a), {}};
    Names::Side right{std::move(b), {}};
    for (Names::Side* const side : {&left, &right}) {
        if (side->place && !read_names(job, side->place, side->names, context)) return;
    }
    if (left.names.empty() && right.names.empty()) return;
    job.push(std::make_shared<Names>(job, std::move(left), std::move(right)));
}

Names::Names(TreeJob& job, Side a, Side b)
    : job_(job),
      a_(std::move(a)),
      b_(std::move(b)),
      pairs_(paired(a_.names, sorted(a_.names, job), b_.names, sorted(b_.names, job))) {
    if (!pairs_.empty()) ranges_.emplace_back(0, pairs_.size());
}

// What is being done to some of the names by one thread.
class Batch {
   public:
    explicit Batch(Names& names)
        : names_(names), job_(names.job_), context_(names.job_.stop_flag()) {}

    // How many of them are done: fewer when others should have their turn, or it is to stop.
    [[nodiscard]] std::size_t run(Names::Range range);

   private:
    // What an entry is; what it leads to, when a symlink is followed.
    struct Kind {
        EntryType type = EntryType::unknown;
        bool followed = false;
        std::uint64_t special_device = 0;
        int error = 0;
    };

    [[nodiscard]] bool acquire(const Names::Side& side, std::shared_ptr<Directory>& directory);
    [[nodiscard]] Kind kind_of(const Names::Side& side, Directory& directory, std::uint32_t name);
    void compare(Names::Pair pair);
    void only(const Names::Side& side, const char* name, const Kind& kind);
    void descend(const Kind* a, const Kind* b, const char* name);
    void compare_files(const char* name, const Kind& a, const Kind& b);
    void compare_links(const char* name);
    [[nodiscard]] std::string path_of(const char* name) const {
        return (names_.a_.place ? names_.a_ : names_.b_).place.path_of(name);
    }

    Names& names_;
    TreeJob& job_;
    CallContext context_;
    std::shared_ptr<Directory> a_;
    std::shared_ptr<Directory> b_;
    std::uint64_t bytes_ = 0;    // read so far
    bool shares_files_ = false;  // two that are open, which others may read
    bool is_short_ = false;      // of descriptors
};

Job::Piece Names::claim(const std::shared_ptr<TreeWork>& self) {
    auto [first, last] = ranges_.back();
    ranges_.pop_back();
    if (last - first > batch_size) {
        ranges_.emplace_back(first + batch_size, last);
        last = first + batch_size;
    }
    return [this, self, first = first, last = last] {
        const std::size_t done = Batch(*this).run({first, last});
        if (first + done == last) return;
        {
            const auto guard = job_.lock();
            ranges_.emplace_back(first + done, last);
        }
        job_.push(self);  // it may have been taken away as exhausted
    };
}

std::size_t Batch::run(Names::Range range) {
    const auto [first, last] = range;
    if (!acquire(names_.a_, a_) || !acquire(names_.b_, b_)) return is_short_ ? 0 : last - first;
    for (std::size_t i = first; i < last; ++i) {
        if (context_.stop_requested() || bytes_ > batch_bytes || shares_files_) return i - first;
        compare(names_.pairs_[i]);
        if (is_short_) return i - first;
    }
    return last - first;
}

bool Batch::acquire(const Names::Side& side, std::shared_ptr<Directory>& directory) {
    if (!side.place) return true;
    auto acquired = side.place.acquire(context_);
    if (!acquired.ok()) {
        is_short_ = job_.is_worth_another_try(acquired.error);
        if (!is_short_) job_.fails(side.place.path(), std::strerror(acquired.error));
    }
    directory = std::move(acquired.value);
    return acquired.ok();
}

void Batch::compare(Names::Pair pair) {
    const bool in_a = pair.a != Names::none;
    const bool in_b = pair.b != Names::none;
    const char* const name = in_a ? names_.a_.names.c_str(pair.a) : names_.b_.names.c_str(pair.b);
    const Kind a = in_a ? kind_of(names_.a_, *a_, pair.a) : Kind{};
    const Kind b = in_b ? kind_of(names_.b_, *b_, pair.b) : Kind{};
    if (const int error = a.error != 0 ? a.error : b.error) {
        return job_.fails(path_of(name), std::strerror(error));
    }
    if (!in_b) return only(names_.a_, name, a);
    if (!in_a) return only(names_.b_, name, b);
    if (a.type != b.type) {
        job_.differs(path_of(name), DiffReason::type_mismatch);
        if (a.type == EntryType::directory) descend(&a, nullptr, name);
        if (b.type == EntryType::directory) descend(nullptr, &b, name);
        return;
    }
    switch (a.type) {
        case EntryType::directory:
            return descend(&a, &b, name);
        case EntryType::regular:
            return compare_files(name, a, b);
        case EntryType::symlink:
            return compare_links(name);
        default:
            if (a.special_device != b.special_device) {
                job_.differs(path_of(name), DiffReason::content_mismatch);
            }
    }
}

Batch::Kind Batch::kind_of(const Names::Side& side, Directory& directory, std::uint32_t name) {
    Kind kind{side.names.type(name), false, 0, 0};
    const auto look = [&](bool follow) {
        const StatResult found = directory.attributes_of(side.names.c_str(name), follow, context_);
        kind.error = found.error;
        kind.type = found.attributes.type();
        if (is_device(kind.type)) kind.special_device = found.attributes.special_device;
    };
    if (kind.type == EntryType::unknown || is_device(kind.type)) look(false);
    if (kind.error == 0 && kind.type == EntryType::symlink && job_.options().follow_symlinks) {
        kind.followed = true;
        look(true);
    }
    return kind;
}

void Batch::only(const Names::Side& side, const char* name, const Kind& kind) {
    const bool left = &side == &names_.a_;
    if (kind.type == EntryType::directory) {
        descend(left ? &kind : nullptr, left ? nullptr : &kind, name);
    } else {
        job_.is_only_in(side.place.tree(), side.place.path_of(name));
    }
}

void Batch::descend(const Kind* a, const Kind* b, const char* name) {
    Opening::Side left;
    Opening::Side right;
    if (a != nullptr) left = {names_.a_.place.again(), a->followed};
    if (b != nullptr) right = {names_.b_.place.again(), b->followed};
    job_.push(std::make_shared<Opening>(job_, std::move(left), std::move(right), name));
}

void Batch::compare_files(const char* name, const Kind& a, const Kind& b) {
    const auto open = [&](Directory& directory, const Kind& kind) {
        auto opened = directory.open_file(name, kind.followed, context_);
        if (!opened.ok()) throw CompareError(CompareFailure::unreadable, opened.error, {});
        return std::make_unique<FileSource>(std::string(), std::move(opened.value));
    };
    try {
        auto left = open(*a_, a);
        auto right = open(*b_, b);
        auto files =
            std::make_unique<PairReader>(std::move(left), std::move(right), job_.options().files);
        files->judge(job_.stop_flag());
        if (files->has_more() && files->unclaimed() >= large) {
            shares_files_ = true;
            return job_.push_open(std::make_shared<Ranges>(job_, std::move(files), path_of(name)));
        }
        while (files->has_more()) files->read(files->claim(), job_.stop_flag());
        bytes_ += files->bytes_read();
        job_.finish(*files, [&] { return path_of(name); });
    } catch (const CompareError& error) {
        is_short_ = job_.is_worth_another_try(error.error());
        if (!is_short_) job_.fails(path_of(name), error.what());
    }
}

void Batch::compare_links(const char* name) {
    const Result<std::string> a = a_->read_link(name, context_);
    const Result<std::string> b = b_->read_link(name, context_);
    if (const int error = a.error != 0 ? a.error : b.error) {
        return job_.fails(path_of(name), std::strerror(error));
    }
    if (a.value != b.value) job_.differs(path_of(name), DiffReason::content_mismatch);
}

Job::Piece Ranges::claim(const std::shared_ptr<TreeWork>& self) {
    ++active_;
    return [this, self, range = files_->claim()] { read(range); };
}

void Ranges::read(PairReader::Range range) {
    bool failed = false;
    try {
        files_->read(range, job_.stop_flag());
    } catch (const CompareError& error) {
        failed = true;
        job_.fails(path_, error.what());
    }
    {
        const auto guard = job_.lock();
        failed_ = failed_ || failed;
        if (--active_ > 0 || !exhausted() || failed_) return;
    }
    try {
        job_.finish(*files_, [this] { return path_; });
    } catch (const CompareError& error) {
        job_.fails(path_, error.what());
    }
}

}  // namespace filetree::compare
