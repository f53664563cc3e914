// Our engine and encoders into a sink that discards everything, inside one process: what `floor`
// is compared with. Prints `entries directories bytes seconds threads_peak`; the top is not
// counted.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include "filetree/posix_fs.hpp"
#include "filetree/report.hpp"
#include "filetree/synthetic_fs.hpp"

namespace {

using namespace filetree;

struct Arguments {
    std::string top;
    ReportOptions options;
    bool csv = false;
    bool paths = false;
    bool cached = false;
    std::uint64_t synthetic_files = 0;
};

bool parse(int count, char** words, Arguments& out) {
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        const bool has_value = i + 1 < count;
        if (word == "--csv") {
            out.csv = true;
        } else if (word == "--paths") {
            out.paths = true;
        } else if (word == "--cached") {
            out.cached = true;
        } else if (word == "--threads" && has_value) {
            out.options.walk.max_threads = static_cast<unsigned>(std::atoi(words[++i]));
        } else if (word == "--inflight" && has_value) {
            out.options.walk.max_inflight = static_cast<unsigned>(std::atoi(words[++i]));
        } else if (word == "--synthetic" && has_value) {
            out.synthetic_files = std::strtoull(words[++i], nullptr, 10);
        } else if (out.top.empty() && !word.starts_with('-')) {
            out.top = word;
        } else {
            return false;
        }
    }
    return !out.top.empty() || out.synthetic_files > 0;
}

std::shared_ptr<FileSystem> file_system(const Arguments& arguments) {
    if (arguments.synthetic_files == 0) {
        return make_posix_file_system({.cached_attributes = arguments.cached});
    }
    return make_synthetic_file_system(synthetic_tree_of(arguments.synthetic_files));
}

WalkProgress to_text(const Arguments& arguments) {
    TextOptions text;
    text.format = arguments.csv ? TextFormat::csv : TextFormat::lines;
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    FileReport report(file_system(arguments), arguments.top, arguments.options, text, null,
                      "/dev/null");
    while (!report.wait(std::chrono::hours(1))) {
    }
    ::close(null);
    return report.progress();
}

WalkProgress to_batches(const Arguments& arguments) {
    Scan scan(file_system(arguments), arguments.top, arguments.options);
    ArrowArray batch;
    for (;;) {
        const Scan::Next next = scan.next(batch, std::chrono::hours(1));
        if (next == Scan::Next::end) return scan.progress();
        if (next == Scan::Next::batch) batch.release(&batch);
    }
}

}  // namespace

int main(int count, char** words) {
    Arguments arguments;
    if (!parse(count, words, arguments)) {
        std::fprintf(stderr,
                     "usage: scan_null [--csv | --paths] [--cached] [--threads N] [--inflight N]"
                     " DIR | --synthetic FILES\n");
        return 2;
    }
    try {
        const bool text = arguments.csv || arguments.paths;
        const WalkProgress end = text ? to_text(arguments) : to_batches(arguments);
        std::printf("%llu %llu %llu %.6f %u\n", static_cast<unsigned long long>(end.entries() - 1),
                    static_cast<unsigned long long>(end.directories - 1),
                    static_cast<unsigned long long>(end.bytes),
                    std::chrono::duration<double>(end.elapsed).count(), end.threads_peak);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "scan_null: %s\n", error.what());
        return 1;
    }
    return 0;
}
